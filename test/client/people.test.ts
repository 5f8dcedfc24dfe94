/** Who is there, who types, who has read: what the client makes of the server's frames. */
import { describe, expect, it } from "vitest";
import { Agenda } from "../../src/client/agenda.ts";
import { LAST_SEEN_MAX, PresenceView } from "../../src/client/presence.ts";
import { Receipts } from "../../src/client/receipts.ts";
import { HELD_MAX, RoomDetails } from "../../src/client/room-details.ts";
import type { RoomInfo } from "../../src/client/replies.ts";
import {
  SIGN_EVERY_MS,
  TYPING_STOPS_MS,
  TYPISTS_TRUST_MS,
  Typing,
} from "../../src/client/typing.ts";
import type { ServerFrameOf } from "../../src/protocol/frames.ts";
import type { Epoch, Seq, UserId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { FakeClock } from "./fake-clock.ts";
import { happened, said } from "./people.ts";
import { ROOM } from "./scripted-server.ts";

const [ANN, BOB, CID] = ["ann" as UserId, "bob" as UserId, "cid" as UserId];

describe("presence", () => {
  const frame = (fields: Partial<ServerFrameOf<"presence">>): ServerFrameOf<"presence"> => {
    const nothing = { whole: false, count: 0, online: [], offline: [] };
    return { type: "presence", room: ROOM, ...nothing, ...fields };
  };

  it("[CL22] is the whole state with the changes since, and stale without a connection", () => {
    const view = new PresenceView();
    expect(view.take(frame({ count: 1, online: [CID] }))).toBe(false);
    expect(view.shown.current).toBe(false);
    const offline = [{ user: CID, lastSeen: 5 }];
    view.take(frame({ whole: true, count: 2, online: [ANN, BOB], offline }));
    const before = view.shown;
    view.take(frame({ count: 2, online: [CID], offline: [{ user: BOB, lastSeen: 9 }] }));
    expect([...before.online]).toEqual([ANN, BOB]);
    expect([...view.shown.online]).toEqual([ANN, CID]);
    expect([...view.shown.lastSeen]).toEqual([[BOB, 9]]);
    expect(view.shown).toMatchObject({ current: true, count: 2, complete: true });
    expect([view.lost(), view.lost()]).toEqual([true, false]);
    expect(view.shown.current).toBe(false);
    view.take(frame({ whole: true, count: 600, online: [BOB] }));
    expect(view.shown).toMatchObject({ current: true, count: 600, complete: false });
    expect(view.shown.lastSeen.size).toBe(0);
  });

  it("[CL22] remembers a bounded number of those who left", () => {
    const view = new PresenceView();
    view.take(frame({ whole: true }));
    for (let i = 0; i <= LAST_SEEN_MAX; i++) {
      view.take(frame({ offline: [{ user: `user${i}` as UserId, lastSeen: i }] }));
    }
    expect(view.shown.lastSeen.size).toBe(LAST_SEEN_MAX);
    expect(view.shown.lastSeen.has("user0" as UserId)).toBe(false);
  });
});

describe("typing", () => {
  function newTyping() {
    const clock = new FakeClock();
    const sent: string[] = [];
    const link = { may: true };
    const typing = new Typing({
      clock,
      agenda: new Agenda(clock),
      name: ROOM,
      me: () => ANN,
      mayType: () => link.may,
      send: (on) => sent.push(`${clock.now()} ${on}`),
      changed: () => undefined,
    });
    return { typing, clock, sent, link };
  }

  it("[CL25] is said at once, then now and then, and ends some time after the last call", () => {
    const { typing, clock, sent } = newTyping();
    for (let ms = 0; ms < 7_000; ms += 500) {
      typing.sign(true);
      clock.advance(500);
    }
    clock.advance(3 * TYPING_STOPS_MS);
    const signs = [0, SIGN_EVERY_MS, 2 * SIGN_EVERY_MS].map((ms) => `${ms} true`);
    expect(sent.slice(0, 3)).toEqual(signs);
    expect(sent.at(-1)).toMatch(/ false$/);
    expect(Number.parseInt(sent.at(-1) as string, 10)).toBeLessThanOrEqual(
      6_500 + TYPING_STOPS_MS + SIGN_EVERY_MS,
    );
    expect(sent.filter((one) => one.endsWith("false"))).toHaveLength(1);
    typing.sign(true);
    typing.sign(false);
    typing.sign(false);
    expect(sent.slice(-2).map((one) => one.split(" ")[1])).toEqual(["true", "false"]);
  });

  it("[CL25] ends without a sign by the own message, and is not said where it is not heard", () => {
    const { typing, clock, sent, link } = newTyping();
    typing.sign(true);
    typing.sent();
    clock.advance(2 * TYPING_STOPS_MS);
    expect(sent).toEqual(["0 true"]);
    link.may = false;
    typing.sign(true);
    expect(sent).toHaveLength(1);
  });

  it("[CL25] of others ends with their message, without a connection and in any case; own never shows", () => {
    const { typing, clock } = newTyping();
    typing.told([BOB, ANN, CID]);
    expect(typing.typists).toEqual([BOB, CID]);
    typing.said(BOB);
    expect(typing.typists).toEqual([CID]);
    clock.advance(TYPISTS_TRUST_MS);
    expect(typing.typists).toEqual([]);
    typing.told([BOB]);
    typing.lost();
    expect(typing.typists).toEqual([]);
    expect(clock.timers).toBe(0);
  });
});

describe("receipts", () => {
  const mark = (user: UserId, through: number) => ({ user, through: through as Seq });
  const frame = (whole: boolean, ...marks: ServerFrameOf<"receipts">["marks"]) =>
    ({ type: "receipts", room: ROOM, whole, marks }) as const;

  it("[CL27] only rise, also with what people say, and tell who has seen a message", () => {
    const receipts = new Receipts();
    expect(receipts.happened(said(1, BOB))).toBe(false);
    receipts.take(frame(true, mark(ANN, 3), mark(BOB, 1)));
    receipts.take(frame(false, mark(ANN, 2), mark(CID, 2)));
    expect([...receipts.marks]).toEqual([
      [ANN, 3],
      [BOB, 1],
      [CID, 2],
    ]);
    expect(receipts.seenBy(said(2, CID))).toEqual([ANN]);
    expect(receipts.happened(said(4, BOB))).toBe(true);
    receipts.take(frame(true, mark(ANN, 3), mark(BOB, 1)));
    expect([...receipts.marks]).toEqual([
      [ANN, 3],
      [BOB, 4],
    ]);
    receipts.happened(happened(5, ANN, { type: "member.left", user: ANN }));
    expect([...receipts.marks.keys()]).toEqual([BOB]);
  });

  it("[CL27] of a large room tell how many have read a message, and not who", () => {
    const receipts = new Receipts();
    receipts.take(frame(true, mark(ANN, 3), mark(BOB, 1)));
    expect(receipts.readersOf(said(2, CID))).toBe(1);
    const step = (through: number, readers: number) => ({ through: through as Seq, readers });
    receipts.takeReaders({ type: "readers", room: ROOM, steps: [step(9, 1), step(5, 40)] });
    const counts = [1, 5, 6, 9, 10].map((seq) => receipts.readersOf(said(seq, CID)));
    expect(counts).toEqual([39, 39, 0, 0, 0]);
    expect(receipts.seenBy(said(2, CID))).toEqual([]);
    receipts.take(frame(true, mark(ANN, 3)));
    expect(receipts.readersOf(said(2, CID))).toBe(1);
  });

  it("[CL31] that are off tell nothing, and the whole when they are on again", () => {
    const receipts = new Receipts();
    receipts.take(frame(true, mark(ANN, 3), mark(BOB, 1)));
    const set = (seq: number, on: boolean) =>
      receipts.happened(happened(seq, ANN, { type: "room.receiptsSet", on }));
    expect(set(4, false)).toBe(true);
    expect(receipts.marks.size).toBe(0);
    // One was on its way, and the whole comes behind it.
    receipts.take(frame(false, mark(BOB, 2)));
    receipts.take(frame(true));
    expect(receipts.happened(said(5, BOB))).toBe(false);
    expect(receipts.marks.size).toBe(0);
    expect([set(6, false), set(7, true)]).toEqual([false, false]);
    receipts.take(frame(true, mark(ANN, 6), mark(BOB, 5)));
    expect(receipts.happened(said(8, BOB))).toBe(true);
    expect(receipts.seenBy(said(5, CID))).toEqual([ANN, BOB]);
    receipts.takeReaders({
      type: "readers",
      room: ROOM,
      steps: [{ through: 9 as Seq, readers: 7 }],
    });
    expect(set(9, false)).toBe(true);
    expect(receipts.readersOf(said(5, CID))).toBe(0);
  });

  it("[CL27] are kept of a bounded number of people", () => {
    const receipts = new Receipts();
    receipts.take(frame(true, mark("user0" as UserId, 0)));
    for (let i = 0; i < LIMITS.largeRoom + 5; i++) receipts.happened(said(i + 1, `user${i}`));
    expect(receipts.marks.size).toBe(LIMITS.largeRoom);
  });
});

describe("name and members", () => {
  const info = (head: number, ...members: UserId[]): RoomInfo => ({
    room: ROOM,
    kind: "public",
    name: `as of ${head}`,
    head: head as Seq,
    epoch: 1 as Epoch,
    receiptsOn: true,
    members: members.map((user) => ({ user, role: "member", since: 1 as Seq })),
  });
  function newDetails() {
    const asked: { answer: (info: RoomInfo) => void; fail: (error: Error) => void }[] = [];
    const fetch = (): Promise<RoomInfo> =>
      new Promise((answer, fail) => asked.push({ answer, fail }));
    return { asked, details: new RoomDetails(fetch, () => undefined) };
  }
  const joined = (seq: number, user: UserId) =>
    happened(seq, user, { type: "member.joined", user });

  it("[CL21] are read once and kept by what happens, also meanwhile", async () => {
    const { asked, details } = newDetails();
    details.take(joined(1, CID));
    const loaded = details.load();
    void details.load();
    expect(asked).toHaveLength(1);
    details.take(joined(3, BOB));
    details.take(joined(4, CID));
    details.take(happened(5, ANN, { type: "room.renamed", name: "later" }));
    asked[0]?.answer(info(3, ANN, BOB));
    await loaded;
    expect([...details.members.keys()]).toEqual([ANN, BOB, CID]);
    expect(details.name).toBe("later");
    details.take(happened(6, ANN, { type: "member.left", user: ANN }));
    details.take(happened(7, BOB, { type: "member.invited", user: ANN }));
    expect(details.receiptsOn).toBe(true);
    details.take(happened(8, BOB, { type: "room.receiptsSet", on: false }));
    expect(details.receiptsOn).toBe(false);
    expect(details.members.get(ANN)).toEqual({ user: ANN, role: "invited", since: 7 });
  });

  it("[CL21] stay as they were when they cannot be read again", async () => {
    const { asked, details } = newDetails();
    const first = details.load();
    asked[0]?.answer(info(3, ANN));
    await first;
    const second = details.load();
    details.take(joined(4, BOB));
    asked[1]?.fail(new Error("no network"));
    await expect(second).rejects.toThrow("no network");
    expect([...details.members.keys()]).toEqual([ANN, BOB]);
  });

  it("[CL21] are read again when more happened meanwhile than was kept", async () => {
    const { asked, details } = newDetails();
    const loaded = details.load();
    for (let seq = 4; seq <= HELD_MAX + 5; seq++) details.take(joined(seq, BOB));
    asked[0]?.answer(info(3, ANN));
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toHaveLength(2);
    asked[1]?.answer(info(HELD_MAX + 5, ANN, BOB, CID));
    await loaded;
    expect(details.members.size).toBe(3);
  });
});
