import { PassThrough } from "node:stream";
import { afterEach, describe, expect, it, vi } from "vitest";
import { chat } from "../../src/cli/chat.ts";
import { parseInput } from "../../src/cli/chat-input.ts";
import { ChatText, clean } from "../../src/cli/chat-text.ts";
import { entriesFrom, entryAt } from "../client/scripted-server.ts";
import { SmallTerminal } from "./small-terminal.ts";
import { TinyChat } from "./tiny-chat.ts";

let tiny: TinyChat;
const ended: Promise<void>[] = [];
const inputs: PassThrough[] = [];

afterEach(async () => {
  for (const input of inputs.splice(0)) input.end();
  await Promise.allSettled(ended.splice(0));
  await tiny?.server.stop();
});

const SAID = (text: string) => ({ type: "message.sent", text }) as const;

interface Session {
  type(line: string): void;
  readonly input: PassThrough;
  /** Everything that was written, with `terminal` undone. */
  text(): string;
  readonly done: Promise<void>;
}

/** The chat of Ann in line mode. */
function open(room = "general", url = tiny.server.url): Session {
  const input = new PassThrough();
  const output = new PassThrough();
  let written = "";
  output.on("data", (chunk: Buffer) => (written += chunk.toString()));
  const options = { url, user: "ann", room, token: "token", timeZone: "UTC" };
  const done = chat({ ...options, input, output });
  done.catch(() => undefined);
  ended.push(done);
  inputs.push(input);
  return { input, type: (line) => input.write(`${line}\n`), text: () => written, done };
}

const until = (check: () => void): Promise<void> =>
  vi.waitFor(check, { timeout: 5_000, interval: 5 });

describe("in line mode", () => {
  it("[CL18] shows the history, then what comes, and sends what is typed", async () => {
    tiny = await TinyChat.start("ann");
    tiny.open("general", [entryAt(1, { event: SAID("hi") })], ["ann"]);
    const session = open();
    await until(() => expect(session.text()).toContain("22:13  bob         hi\n"));
    expect(session.text()).toContain("── Tuesday, 14 November 2023 ──");
    tiny.happen("general", "bob", SAID("/me waves"));
    await until(() => expect(session.text()).toContain("* bob waves"));
    session.type("hello");
    await until(() => expect(session.text()).toContain("ann         hello\n"));
    session.type("/quit");
    await session.done;
    expect(session.text().match(/hello/g)).toHaveLength(1);
  });

  it("[CL18] makes a room that does not exist, and enters one that does", async () => {
    tiny = await TinyChat.start("ann");
    tiny.open("other", [entryAt(1, { event: SAID("here") })]);
    const session = open("fresh");
    await until(() => expect(session.text()).toContain("ann created the room “fresh” (public)"));
    session.type("/join other");
    await until(() => expect(session.text()).toContain("ann joined"));
    session.type("here I am");
    session.input.end();
    await session.done;
    expect(tiny.rooms.get("other" as never)?.at(-1)?.event).toEqual(SAID("here I am"));
  });

  it("[CL18] sends everything that was piped in, in order, before it ends", async () => {
    tiny = await TinyChat.start("ann");
    const session = open();
    const lines = Array.from({ length: 700 }, (_, i) => `line ${i}`);
    session.input.end(`${lines.join("\n")}\n`);
    await session.done;
    const texts = (tiny.rooms.get("general" as never) ?? []).map(({ event }) => event);
    expect(texts.slice(1)).toEqual(lines.map(SAID));
  });

  it("[CL18] marks what cannot go, says when the connection is back, and sends it then", async () => {
    tiny = await TinyChat.start("ann");
    const session = open();
    await until(() => expect(session.text()).toContain("created the room"));
    tiny.silent = true;
    tiny.peer?.close(4000, "this edge is draining");
    await until(() => expect(session.text()).toContain("-- the connection is lost"));
    tiny.silent = false;
    await until(() => expect(session.text()).toContain("-- connected again"));
    session.type("still there");
    await until(() => expect(session.text()).toContain("ann         still there"));
  });

  it("[CL18] says that there is no server, and what waits for it", async () => {
    tiny = await TinyChat.start("ann");
    const { url } = tiny.server;
    await tiny.server.stop();
    const session = open("general", url);
    await until(() => expect(session.text()).toContain(`-- cannot reach ${url}`));
    session.type("anybody?");
    await until(() => expect(session.text()).toContain("… anybody?  (unsent)"));
    session.type("/quit");
  });

  it("[CL18] answers wrong input, refusals and commands in plain words", async () => {
    tiny = await TinyChat.start("ann", (request, response) => {
      response.setHeader("content-type", "application/json");
      const about = { kind: "public", role: "member", epoch: 1, head: 9, through: 4, last: null };
      const listed = { room: "general", name: "Talk", unread: 5, mentions: 2, ...about };
      response.end(request.url === "/v1/rooms" ? JSON.stringify({ rooms: [listed] }) : "{}");
    });
    const session = open();
    for (const line of ["/nonsense", "/invite", "/rooms", "/help", "/dm bob", "/leave", "lost"]) {
      session.type(line);
    }
    await until(() =>
      expect(session.text()).toContain("you are in no room; /join ROOM enters one"),
    );
    expect(session.text()).toContain("-- there is no /nonsense; /help shows what there is");
    expect(session.text()).toContain("-- /invite needs a user");
    expect(session.text()).toContain("-- general (Talk): 5 unread, 2 of them to you");
    expect(session.text()).toContain("/join ROOM");
    expect(session.text()).toContain("-- you have left dm.x");
    session.type("/join no such name");
    await until(() => expect(session.text()).toContain("a room id is like"));
  });

  it("[CL18] shows what was said before, as far as there is something", async () => {
    const said = entriesFrom(1, 60);
    tiny = await TinyChat.start("ann", (request, response) => {
      const query = new URL(request.url ?? "", "http://host").searchParams;
      const before = Number(query.get("before"));
      const entries = said.slice(Math.max(0, before - 1 - 4), before - 1);
      const more = entries[0]?.seq !== 1;
      response.end(JSON.stringify({ room: "general", epoch: 1, head: 60, more, entries }));
    });
    tiny.open("general", said, ["ann"]);
    tiny.pageEntries = 52;
    const session = open();
    await until(() => expect(session.text()).toContain("message 60"));
    expect(session.text()).not.toContain("message 8\n");
    session.type("/older");
    await until(() => expect(session.text()).toContain("-- that is what came before"));
    const shown = session.text().split("-- before that:")[1] ?? "";
    expect([...shown.matchAll(/message (\d+)/g)].map(([, seq]) => seq)).toEqual([
      "5",
      "6",
      "7",
      "8",
    ]);
    expect(session.text()).not.toContain("nothing before");
    session.type("/older");
    await until(() => expect(session.text()).toContain("-- there is nothing before that"));
    expect(session.text()).toContain("message 1\n");
  });

  it("[CL18] changes and answers messages, and says who is there", async () => {
    tiny = await TinyChat.start("ann");
    tiny.open("general", [entryAt(1, { event: SAID("hi") })], ["ann"]);
    const session = open();
    await until(() => expect(session.text()).toContain("hi"));
    session.type("/edit before anything was said");
    await until(() => expect(session.text()).toContain("-- there is no such message"));
    session.type("/who");
    await until(() => expect(session.text()).toContain("-- here: not known at the moment"));
    const about = { room: "general" as never, count: 3, offline: [] };
    tiny.peer?.send({ type: "presence", whole: true, online: ["bob" as never], ...about });
    tiny.happen("general", "bob", SAID("more"));
    await until(() => expect(session.text()).toContain("more"));
    session.type("hello");
    await until(() => expect(session.text()).toContain("ann         hello"));
    for (const line of ["/who", "/edit hello all", "/react 👍", "/delete"]) session.type(line);
    await until(() => expect(tiny.changes).toHaveLength(3));
    expect(session.text()).toContain("-- here: bob and 2 more");
    expect(tiny.changes).toMatchObject([
      { type: "edit", message: entryAt(3).cursor, text: "hello all" },
      { type: "react", message: entryAt(2).cursor, reaction: "👍" },
      { type: "delete", message: entryAt(3).cursor },
    ]);
  });

  it("[CL18] ends with the reason when the server refuses the token", async () => {
    tiny = await TinyChat.start("ann");
    const session = open();
    await until(() => expect(tiny.peer).not.toBeNull());
    tiny.peer?.close(4404, "the token or ticket was refused");
    await expect(session.done).rejects.toThrow("the token or ticket was refused");
  });
});

describe("on a terminal", () => {
  async function onTerminal(): Promise<{ terminal: SmallTerminal; session: Session }> {
    tiny = await TinyChat.start("ann");
    tiny.open("general", [entryAt(1, { event: SAID("hi") })], ["ann"]);
    const terminal = new SmallTerminal(40);
    const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
    const options = { url: tiny.server.url, user: "ann", room: "general", token: "token" };
    const done = chat({ ...options, input, output: terminal, timeZone: "UTC", color: true });
    ended.push(done);
    inputs.push(input);
    const session = { input, done, text: () => "", type: (text: string) => input.write(text) };
    await until(() => expect(terminal.shown.at(-1)).toBe("general>"));
    await until(() => expect(terminal.shown.join("\n")).toContain("bob         hi"));
    return { terminal, session };
  }

  it("[CL18] prints above the line that is being typed, however long it is", async () => {
    const { terminal, session } = await onTerminal();
    const typed = "x".repeat(70);
    session.type(typed);
    await until(() => expect(terminal.shown.join("")).toContain(`general> ${typed}`));
    const { length } = terminal.shown;
    for (const text of ["first", "second"]) tiny.happen("general", "bob", SAID(text));
    await until(() => expect(terminal.shown.join("\n")).toContain("second"));
    expect(terminal.shown.slice(-4)).toEqual([
      "22:13  bob         first",
      "22:13  bob         second",
      `general> ${"x".repeat(31)}`,
      "x".repeat(39),
    ]);
    expect(terminal.shown).toHaveLength(length + 2);
    session.type("y");
    await until(() => expect(terminal.shown.at(-1)).toBe(`${"x".repeat(39)}y`));
  });

  it("[CL18] shows above the prompt who types", async () => {
    const { terminal } = await onTerminal();
    const about = { type: "typists", room: "general" as never } as const;
    tiny.peer?.send({ ...about, users: ["bob" as never] });
    await until(() => expect(terminal.shown.at(-2)).toBe("bob is typing"));
    tiny.peer?.send({ ...about, users: [] });
    await until(() => expect(terminal.shown.join("\n")).not.toContain("typing"));
  });

  it("[CL18] shows a message as unsent above the prompt until its entry is there", async () => {
    const { terminal, session } = await onTerminal();
    tiny.silent = true;
    session.type("hello\r");
    await until(() => expect(terminal.shown.slice(-2)).toEqual(["… hello  (sending)", "general>"]));
    session.type("next");
    await until(() => expect(terminal.shown.at(-1)).toBe("general> next"));
    tiny.silent = false;
    tiny.peer?.close(4000);
    await until(() => expect(terminal.shown.join("\n")).toMatch(/ann {9}hello\ngeneral> next$/));
    expect(terminal.shown.filter((line) => line.includes("hello"))).toHaveLength(1);
    expect(terminal.foreign).toEqual([]);
  });
});

describe("what others write", () => {
  it("[CL17] never reaches the terminal as a control sequence", () => {
    const hostile = "\u001b[2J\u001b]0;title\u0007 \u009b31m \u202eevil \r over \u007f a\tb";
    expect(clean(hostile)).toBe("␛[2J␛]0;title␇ \ufffd31m \ufffdevil ␍ over \ufffd a    b");
    expect(clean("two\r\nlines\nstay")).toBe("two\nlines\nstay");
    const text = new ChatText({ color: false, timeZone: "UTC" });
    const by = "b\u202eob" as never;
    const events = [
      SAID(hostile),
      { type: "room.created", kind: "public", name: hostile, members: [by] } as const,
      { type: "room.created", kind: "direct", name: "direct", members: [by, by] } as const,
      { type: "room.renamed", name: hostile } as const,
      { type: "room.receiptsSet", on: false } as const,
      { type: "member.joined", user: "\u009bx" as never } as const,
      { type: "message.edited", target: 1 as never, text: hostile } as const,
      { type: "reaction.added", target: 1 as never, reaction: hostile } as const,
      { type: "message.folded", text: hostile, through: 9 as never } as const,
    ];
    for (const event of events) {
      const lines = text.entry(entryAt(1, { by, event }));
      expect(lines.join("")).not.toMatch(/[\p{Cc}\u202e]/u);
    }
    expect(text.note(`a\n${hostile}`)).not.toMatch(/[\p{Cc}\u202e]/u);
  });

  it("[CL18] shows a message as its changes have left it, and says what changed", () => {
    const text = new ChatText({ color: false, timeZone: "UTC" });
    const folded = { type: "message.folded", text: "hello", through: 9 as never } as const;
    const reactions = [{ reaction: "\u{1f44d}", count: 3, users: [] }];
    const changes = { edits: 2, pinned: true, replies: 1, reactions };
    const lines = [
      { ...folded, ...changes },
      { ...folded, text: null },
      { type: "message.edited", target: 1 as never, text: "hello" } as const,
      { type: "message.edited", target: 1 as never, text: null } as const,
      { type: "message.deleted", target: 1 as never } as const,
      { type: "reaction.removed", target: 1 as never, reaction: "no" } as const,
      { type: "message.pinned", target: 1 as never } as const,
    ].map((event) => text.entry(entryAt(1, { event })).at(-1));
    expect(lines).toEqual([
      "22:13  bob         hello  (edited, pinned, \u{1f44d} 3, 1 reply)",
      "22:13  → a message of bob was deleted",
      "22:13  → bob edited message 1: hello",
      "22:13  → bob edited message 1",
      "22:13  → bob deleted message 1",
      "22:13  → bob took back no from message 1",
      "22:13  → bob pinned message 1",
    ]);
  });

  it("[CL17] indents further lines, so that nobody can forge one", () => {
    const text = new ChatText({ color: false, timeZone: "UTC" });
    const [, line] = text.entry(entryAt(1, { event: SAID("a\n22:13  ann  forged") }));
    expect(line).toBe(`22:13  bob         a\n${" ".repeat(19)}22:13  ann  forged`);
  });
});

describe("typed lines", () => {
  it.each([
    ["", { type: "nothing" }],
    ["hello", { type: "say", text: "hello" }],
    ["/me waves", { type: "say", text: "/me waves" }],
    ["//shrug", { type: "say", text: "/shrug" }],
    ["/dm bob the builder", { type: "dm", user: "bob the builder" }],
    ["/join", { type: "wrong", problem: "/join needs a room" }],
    ["/quit", { type: "quit" }],
  ])("[CL18] %j is %j", (line, input) => {
    expect(parseInput(line)).toEqual(input);
  });
});
