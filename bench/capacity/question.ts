/** What the model is asked: one table describes every input; flags, help and the type are derived. */
import { CapacityError } from "./capacity-error.ts";

interface Input {
  readonly default: number | null;
  readonly min: number;
  readonly max: number;
  readonly unit: string;
  readonly about: string;
  /** Counts; everything else may have a fraction. */
  readonly whole?: true;
}
const input = <T extends Input>(row: T): T => row;

export const INPUTS = {
  users: input({
    default: 1e6,
    min: 1,
    max: 1e10,
    unit: "users",
    about: "who use the chat at all",
    whole: true,
  }),
  online: input({
    default: 0.15,
    min: 1e-6,
    max: 1,
    unit: "share",
    about: "of the users that are connected at the peak, one socket each",
  }),
  msgsPerUserDay: input({
    default: 40,
    min: 0,
    max: 1e6,
    unit: "messages",
    about: "that a user, online or not, sends a day",
  }),
  peakFactor: input({
    default: 3,
    min: 1,
    max: 1_000,
    unit: "times",
    about: "the mean rate of a day at its busiest minute",
  }),
  roomSize: input({
    default: 10,
    min: 1,
    max: 1e6,
    unit: "members",
    about: "of the room of a mean message",
  }),
  receivers: input({
    default: null,
    min: 1,
    max: 1e6,
    unit: "sockets",
    about: "that a mean message goes to, its sender's included; without it all of --room-size",
  }),
  roomsPerUser: input({
    default: 8,
    min: 0,
    max: 1e4,
    unit: "rooms",
    about: "that a mean user is a member of",
  }),
  textBytes: input({
    default: 64,
    min: 1,
    max: 8_192,
    unit: "bytes",
    about: "of a mean text",
    whole: true,
  }),
  hotDays: input({
    default: 1,
    min: 0,
    max: 3_650,
    unit: "days",
    about: "of messages that Redis keeps, in its log and its histories",
  }),
  historyPerRoom: input({
    default: 10_000,
    min: 200,
    max: 1e7,
    unit: "entries",
    about: "of a room's history at most, as HISTORY_PER_ROOM says",
    whole: true,
  }),
  archiveDays: input({
    default: 365,
    min: 0,
    max: 36_500,
    unit: "days",
    about: "that the archive keeps messages",
  }),
  replicas: input({
    default: 1,
    min: 0,
    max: 5,
    unit: "replicas",
    about: "of each Redis master",
    whole: true,
  }),
  target: input({
    default: 0.6,
    min: 0.05,
    max: 0.95,
    unit: "share",
    about: "of anything (a core, memory, a network card) that may be in use at the peak",
  }),
  socketsPerEdge: input({
    default: 50_000,
    min: 1,
    max: 1e7,
    unit: "sockets",
    about: "that may come back at once when one edge dies",
    whole: true,
  }),
  edgeGib: input({
    default: 4,
    min: 0.25,
    max: 4_096,
    unit: "GiB",
    about: "of memory for an edge",
  }),
  redisGib: input({
    default: 32,
    min: 0.25,
    max: 16_384,
    unit: "GiB",
    about: "of memory for a Redis",
  }),
  gbit: input({
    default: 10,
    min: 0.01,
    max: 1_000,
    unit: "Gbit/s",
    about: "of network, each way, for an edge and for a Redis",
  }),
  fsyncsPerSec: input({
    default: 10_000,
    min: 1,
    max: 1e7,
    unit: "1/s",
    about: "that the disk of a Redis can do",
  }),
} as const;
export type InputName = keyof typeof INPUTS;

export type Question = Readonly<Record<Exclude<InputName, "receivers">, number>> & {
  /** Never more than the members of the room. */
  readonly receivers: number;
};

export const INPUT_NAMES = Object.keys(INPUTS) as InputName[];

/** `msgsPerUserDay` is `--msgs-per-user-day`. */
export function flagOf(name: InputName): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Throws CapacityError `bad-flag` for what is no number, out of bounds, or does not fit the rest. */
export function readQuestion(given: Readonly<Partial<Record<InputName, string>>>): Question {
  const values = Object.fromEntries(
    INPUT_NAMES.map((name) => {
      const text = given[name];
      return [name, text === undefined ? INPUTS[name].default : readNumber(name, text)];
    }),
  ) as Record<InputName, number>;
  const receivers = values.receivers ?? values.roomSize;
  if (receivers > values.roomSize) {
    throw new CapacityError(
      "bad-flag",
      `--receivers ${receivers} is more than the --room-size ${values.roomSize} that they are members of`,
    );
  }
  return { ...values, receivers };
}

function readNumber(name: InputName, text: string): number {
  const { min, max, unit, ...row }: Input = INPUTS[name];
  // Number("") is 0, and Number("0x10") is 16: neither was meant.
  const value = /^\d+(\.\d+)?(e\d{1,2})?$/i.test(text) ? Number(text) : Number.NaN;
  const fits = value >= min && value <= max && (row.whole !== true || Number.isInteger(value));
  if (fits) return value;
  const kind = row.whole === true ? "a whole number" : "a number";
  const takes = `${kind} of ${unit} from ${min} to ${max}, such as 2.5 or 10e6`;
  throw new CapacityError("bad-flag", `${flagOf(name)} takes ${takes}, not "${text}"`);
}
