/** The terminal chat: typed lines to the client, the client's events to the screen. */
import type { Readable, Writable } from "node:stream";
import { WebSocket } from "ws";
import {
  ChatClient,
  ClientError,
  describeError,
  type ClientEvents,
  type Message,
  type Room,
} from "../client/index.ts";
import { ROOM_ID } from "../protocol/ids.ts";
import { CHAT_HELP, parseInput, type ChatInput } from "./chat-input.ts";
import { openScreen, type Screen } from "./chat-screen.ts";
import { ChatText, cleanLine, listedText, presentText, typingText } from "./chat-text.ts";

/** Messages read from a pipe wait once so many are on their way. */
const UNSETTLED_MAX = 500;
/** At the end of a pipe: how long messages may still take to get their outcome. */
const DRAIN_MS = 10_000;
/** The same for somebody who wants to leave. */
const QUIT_MS = 1_000;
const DRAIN_LOOK_MS = 20;
/** Unsent messages above the prompt; more would push the conversation off the screen. */
const UNSENT_SHOWN = 5;

export interface ChatOptions {
  /** Address of an edge: `http://host:port`. */
  readonly url: string;
  readonly user: string;
  /** Entered at the start; made when it does not exist. */
  readonly room: string;
  readonly token: string;
  readonly color?: boolean;
  /** stdin and stdout. */
  readonly input?: Readable;
  readonly output?: Writable;
  readonly timeZone?: string;
}

/** Resolves when the user quits or the input ends. Rejects with ClientError when the server refuses us. */
export async function chat(options: ChatOptions): Promise<void> {
  const { input = process.stdin, output = process.stdout, color = false, timeZone } = options;
  const screen = openScreen(input, output);
  const session = new ChatSession(options, screen, new ChatText({ color, timeZone }));
  try {
    await session.run();
  } finally {
    session.close();
  }
}

class ChatSession {
  readonly #options: ChatOptions;
  readonly #screen: Screen;
  readonly #text: ChatText;
  readonly #client: ChatClient;
  /** Typed and not done yet, in order. */
  readonly #queue: ChatInput[] = [];
  #working: Promise<void> | null = null;
  #room: Room | null = null;
  #entering = false;
  #connection: "new" | "up" | "down" = "new";

  constructor(options: ChatOptions, screen: Screen, text: ChatText) {
    this.#options = options;
    this.#screen = screen;
    this.#text = text;
    const { url, token } = options;
    this.#client = new ChatClient({ urls: url, token, agent: "millrace-chat", WebSocket });
    this.#client.on("state", (state) => this.#connectionChanged(state));
    this.#client.on("entry", ({ room, entry }) => {
      if (room !== this.#room) return;
      this.#screen.print(this.#text.entry(entry));
      // What is on the screen was read.
      room.read(entry);
    });
    this.#client.on("older", ({ room, entries }) => {
      if (room === this.#room) this.#screen.print(this.#text.older(entries));
    });
    this.#client.on("gap", ({ room, after, before }) => {
      if (room === this.#room) this.#note(`${before - after - 1} messages between are not shown`);
    });
    this.#client.on("reset", ({ room }) => {
      if (room !== this.#room) return;
      this.#note("the history of this room was rebuilt; this is how it reads now");
      this.#text.startOver();
    });
    this.#client.on("room", ({ room }) => this.#roomChanged(room));
    this.#client.on("pending", () => this.#showUnsent());
    this.#client.on("typists", () => this.#showUnsent());
    this.#client.on("outcome", (outcome) => this.#settled(outcome));
  }

  async run(): Promise<void> {
    const refused = new Promise<never>((_, reject) => {
      this.#client.on("state", (state) => {
        if (state.name !== "stopped" || state.drop.code === null) return;
        reject(
          new ClientError("stopped", `the server refuses us: ${cleanLine(state.drop.reason)}`),
        );
      });
    });
    void this.#client.connect();
    this.#queue.push({ type: "join", room: this.#options.room });
    await Promise.race([this.#talk(), refused]);
  }

  close(): void {
    this.#client.close();
    this.#screen.close();
  }

  async #talk(): Promise<void> {
    void this.#work();
    for await (const line of this.#screen.lines) {
      const input = parseInput(line);
      if (input.type === "quit") return this.#drain(QUIT_MS);
      this.#queue.push(input);
      if (input.type === "say" && this.#connection === "down") {
        this.#screen.printUnsent(this.#text.unsent(input.text, "unsent"));
      }
      this.#showUnsent();
      const working = this.#work();
      if (this.#queue.length >= UNSETTLED_MAX) await working;
    }
    await this.#drain(this.#screen.interactive ? QUIT_MS : DRAIN_MS);
  }

  /** One thing after the other: what is said after `/join` belongs into the new room. */
  #work(): Promise<void> {
    this.#working ??= this.#workOff().finally(() => {
      this.#working = null;
      this.#showUnsent();
    });
    return this.#working;
  }

  async #workOff(): Promise<void> {
    for (let input = this.#queue.shift(); input; input = this.#queue.shift()) {
      try {
        await this.#do(input);
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        if (error.code !== "closed") this.#note(error.message);
      }
    }
  }

  async #do(input: ChatInput): Promise<void> {
    switch (input.type) {
      case "nothing":
      case "quit":
        return;
      case "wrong":
        return this.#note(input.problem);
      case "help":
        return this.#screen.print(CHAT_HELP);
      case "say":
        return this.#say(input.text);
      case "join":
        return this.#enter(input.room);
      case "create":
        return this.#create(input.room);
      case "dm":
        return this.#enter((await this.#client.direct(input.user)).id, `@${input.user}`);
      case "rooms": {
        const rooms = await this.#client.rooms();
        if (rooms.length === 0) return this.#note("you are in no room");
        for (const room of rooms) this.#note(listedText(room));
        return;
      }
      case "invite": {
        await this.#current().invite(input.user);
        return this.#note(`${input.user} is invited`);
      }
      case "leave":
        return this.#leave();
      case "older": {
        const older = await this.#current().loadOlder();
        if (older === "none") this.#note("there is nothing before that");
        if (older === "full") this.#note("this program holds no more than that");
        return;
      }
      case "who":
        return this.#note(`here: ${presentText(this.#current().presence)}`);
      case "edit":
        return void (await this.#current().edit(this.#last("own"), input.text));
      case "delete":
        return void (await this.#current().delete(this.#last("own")));
      case "react":
        return void (await this.#current().react(this.#last("foreign"), input.reaction));
    }
  }

  /** The newest message of this user, or of somebody else. */
  #last(whose: "own" | "foreign"): Message {
    const { user } = this.#client;
    const found = this.#current().messages.findLast(
      ({ by, deleted }) => !deleted && (by === user) === (whose === "own"),
    );
    if (!found) throw new ClientError("noSuchMessage");
    return found;
  }

  #current(): Room {
    if (this.#room === null)
      throw new ClientError("invalid", "you are in no room; /join ROOM enters one");
    return this.#room;
  }

  async #say(text: string): Promise<void> {
    const outcome = this.#current().send(text);
    // What becomes of it shows by itself; only a flood from a pipe has to wait.
    if (this.#client.unsettled >= UNSETTLED_MAX) await outcome.catch(() => undefined);
  }

  async #enter(id: string, label = id): Promise<void> {
    const room = this.#client.room(id);
    if (room === this.#room) return this.#note(`you are in ${label} already`);
    this.#leaveView();
    this.#room = room;
    this.#entering = true;
    this.#text.startOver();
    this.#screen.showPrompt(`${cleanLine(label)}> `);
    try {
      await this.#followOrJoin(room);
    } catch (error) {
      this.#leaveView();
      if (!(error instanceof ClientError) || error.code === "closed") throw error;
      this.#note(`cannot enter ${label}: ${error.message}`);
    } finally {
      this.#entering = false;
    }
  }

  /** A room that does not let us in may be open to join, or not exist yet: the server does not say. */
  async #followOrJoin(room: Room): Promise<void> {
    try {
      return await room.follow({ attend: true });
    } catch (error) {
      if (!isForbidden(error)) throw error;
    }
    try {
      await room.join();
    } catch (error) {
      if (!isForbidden(error)) throw error;
      await this.#client.createRoom({ room: room.id, kind: "public", name: room.id });
    }
    await room.follow({ attend: true });
  }

  async #create(name: string): Promise<void> {
    const id = name.replace(/\s+/g, "-");
    const named = ROOM_ID.test(id) ? { room: id } : {};
    const room = await this.#client.createRoom({ ...named, kind: "public", name });
    await this.#enter(room.id, name);
    this.#note(`others enter it with /join ${room.id}`);
  }

  async #leave(): Promise<void> {
    const room = this.#current();
    this.#entering = true;
    try {
      await room.leave();
      this.#leaveView();
      this.#note(`you have left ${room.id}`);
    } finally {
      this.#entering = false;
    }
  }

  #leaveView(): void {
    this.#room?.unfollow();
    this.#room = null;
    this.#screen.showPrompt("> ");
  }

  #roomChanged(room: Room): void {
    if (room !== this.#room || this.#entering || room.state.name !== "ended") return;
    this.#note(`this room is closed to you now: ${describeError(room.state.code)}`);
    this.#leaveView();
  }

  #connectionChanged(state: ClientEvents["state"]): void {
    if (state.name === "live") {
      if (this.#connection === "down") this.#note("connected again");
      this.#connection = "up";
    }
    if (state.name !== "waiting" || this.#connection === "down") return;
    const reason = state.drop.reason === "" ? "" : ` (${state.drop.reason})`;
    const was =
      this.#connection === "up" ? "the connection is lost" : `cannot reach ${this.#options.url}`;
    this.#note(`${was}${reason}; trying again`);
    this.#connection = "down";
  }

  #settled({ command, outcome }: ClientEvents["outcome"]): void {
    if (command.type !== "send" || !(outcome instanceof ClientError)) return;
    if (outcome.code !== "closed") this.#note(`not sent: ${outcome.message}: ${command.text}`);
    this.#client.room(command.room).dismiss(command.k);
  }

  #showUnsent(): void {
    const lines: string[] = [];
    for (const { text, state } of this.#room?.pending ?? []) {
      if (state.name === "failed") continue;
      const waits = state.name === "queued" || this.#connection !== "up";
      lines.push(this.#text.unsent(text, waits ? "unsent" : "sending"));
    }
    for (const input of this.#queue) {
      if (input.type === "say") lines.push(this.#text.unsent(input.text, "unsent"));
    }
    const typists = this.#room?.typists ?? [];
    const typing = typists.length === 0 ? [] : [this.#text.dim(typingText(typists))];
    this.#screen.showUnsent([...typing, ...lines.slice(-UNSENT_SHOWN)]);
  }

  /** Gives what was typed the time to arrive, as long as something moves. */
  async #drain(patienceMs: number): Promise<void> {
    let left = -1;
    let untilMs = 0;
    for (;;) {
      const now = this.#queue.length + this.#client.unsettled + (this.#working ? 1 : 0);
      if (now === 0) return;
      if (now !== left) untilMs = performance.now() + patienceMs;
      left = now;
      if (performance.now() > untilMs) return this.#giveUp();
      await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS));
    }
  }

  #giveUp(): void {
    const unsent = this.#queue.filter(({ type }) => type === "say").length + this.#client.unsettled;
    if (unsent > 0) this.#note(`without confirmation: ${unsent}; they may not have been sent`);
  }

  #note(text: string): void {
    this.#screen.print([this.#text.note(text)]);
  }
}

function isForbidden(error: unknown): boolean {
  return error instanceof ClientError && error.code === "forbidden";
}
