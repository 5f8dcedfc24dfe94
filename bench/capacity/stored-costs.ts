/** What a room, a membership and a message take in Redis. */
import { numberAt, type Result, type Results } from "../report/results.ts";
import { messageBytes } from "./message-bytes.ts";

export interface StoredCosts {
  readonly roomBytes: number;
  /** A member of a room, both ways, and the window of the device that speaks there. */
  readonly membershipBytes: number;
  readonly logBytes: (textBytes: number) => number;
  readonly historyBytes: (textBytes: number) => number;
  /** Where the rooms come from, and where the messages do. */
  readonly from: string;
  readonly messagesFrom: string;
}

/** `idleRoomBytes` has to do for as long as nobody measured `memory`: 4 members and 4 entries. */
export function storedCosts(
  results: Results,
  idleRoomBytes: number,
  idleFile: string,
): StoredCosts {
  const memory = results.get("memory");
  const measured = memory?.faults.length === 0 ? measuredCosts(memory) : null;
  if (measured) return measured;
  return {
    roomBytes: idleRoomBytes,
    membershipBytes: 0,
    logBytes: (textBytes) => messageBytes(textBytes).logged,
    historyBytes: (textBytes) => messageBytes(textBytes).kept,
    from: `${idleFile}, members and devices of 4 in it`,
    messagesFrom: "not measured yet: the bytes of the codecs, without Redis's own",
  };
}

interface Filled {
  readonly rooms: number;
  readonly textBytes: number;
  readonly messagesPerRoom: number;
  readonly entriesPerRoom: number;
  readonly historyPerRoom: number;
  readonly headPerRoom: number;
  readonly membershipBytes: number;
  readonly logPerCommand: number;
}

/** Null where the result is not of the shape that is known. */
function measuredCosts(memory: Result): StoredCosts | null {
  const all = memory.cases.map(filledOf).filter((each) => Number.isFinite(sumOf(each)));
  const texts = [...new Set(all.map(({ textBytes }) => textBytes))].sort((a, b) => a - b);
  const [short, long] = [texts[0], texts.at(-1)];
  if (short === undefined || long === undefined || short === long) return null;
  const [ofShort, ofLong] = [sized(all, short), sized(all, long)];
  if (!ofShort || !ofLong) return null;
  const between = (a: number, b: number): ((textBytes: number) => number) => {
    const perByte = (b - a) / (long - short);
    return (textBytes) => a + perByte * (textBytes - short);
  };
  return {
    roomBytes: ofShort.roomBytes,
    membershipBytes: ofShort.membershipBytes,
    logBytes: between(ofShort.logBytes, ofLong.logBytes),
    historyBytes: between(ofShort.historyBytes, ofLong.historyBytes),
    from: memory.file,
    messagesFrom: memory.file,
  };
}

interface Sized {
  readonly roomBytes: number;
  readonly membershipBytes: number;
  readonly logBytes: number;
  readonly historyBytes: number;
}

/** Rooms of few and of many messages: the slope is a message, what is left at none is the room. */
function sized(all: readonly Filled[], textBytes: number): Sized | null {
  const cases = all
    .filter((each) => each.textBytes === textBytes)
    .sort((a, b) => a.entriesPerRoom - b.entriesPerRoom);
  const [few, many] = [cases[0], cases.at(-1)];
  if (!few || !many || few.entriesPerRoom === many.entriesPerRoom) return null;
  const historyBytes =
    (many.historyPerRoom - few.historyPerRoom) / (many.entriesPerRoom - few.entriesPerRoom);
  const empty = Math.max(0, few.historyPerRoom - few.entriesPerRoom * historyBytes);
  return {
    historyBytes,
    roomBytes: few.headPerRoom + empty,
    membershipBytes: few.membershipBytes,
    logBytes: many.logPerCommand,
  };
}

function filledOf(value: unknown): Filled {
  const of = (...path: string[]): number => numberAt(value, ...path);
  const rooms = of("rooms");
  const memberships = rooms * of("membersPerRoom");
  const perMembership =
    of("bytes", "members") + of("bytes", "roomsOfUsers") + of("bytes", "devices");
  return {
    rooms,
    textBytes: of("textBytes"),
    messagesPerRoom: of("messagesPerRoom"),
    entriesPerRoom: of("entries") / rooms,
    historyPerRoom: of("bytes", "histories") / rooms,
    headPerRoom: of("bytes", "roomHeads") / rooms,
    membershipBytes: perMembership / memberships,
    logPerCommand: of("bytes", "log") / of("commands"),
  };
}

function sumOf(filled: Filled): number {
  return Object.values(filled).reduce<number>((sum, value: number) => sum + value, 0);
}
