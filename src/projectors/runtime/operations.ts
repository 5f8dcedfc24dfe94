/**
 * The writes of one batch, in the closed set that `apply.lua` executes. A
 * projection says what is to be written; nothing is written outside a batch.
 */
/** KEYS of `apply.lua` before the first changed key. */
const FIXED_KEYS = 3;
/** Arguments of one operation, names with their values: what Lua can unpack at once has an end. */
export const ARGUMENTS_MAX = 1_000;

type Argument = string | Uint8Array;
/** Command, index of its key in KEYS, arguments: text, or the number of a blob, from 1. */
export type Operation = readonly [name: string, key: number, ...args: (string | number)[]];

export class Operations {
  readonly #keys = new Map<string, number>();
  readonly #list: Operation[] = [];
  readonly #blobs: Uint8Array[] = [];

  /** Keys that the batch changes, in the order in which the operations number them. */
  get keys(): readonly string[] {
    return [...this.#keys.keys()];
  }
  get list(): readonly Operation[] {
    return this.#list;
  }
  /** What is not text stands beside the list: the MessagePack of Redis's Lua knows no binary. */
  get blobs(): readonly Uint8Array[] {
    return this.#blobs;
  }

  append(key: string, id: string, fields: readonly Argument[]): void {
    this.#push("XADD", key, [id, ...fields]);
  }
  /** Approximately: whole nodes are dropped, so a little more than `length` may stay. */
  trim(key: string, length: number): void {
    this.#push("XTRIM", key, ["MAXLEN", "~", String(length)]);
  }
  /** Exactly: what is dropped here was shown without its text, and must not come back. */
  trimExactly(key: string, length: number): void {
    this.#push("XTRIM", key, ["MAXLEN", "=", String(length)]);
  }
  remove(key: string): void {
    this.#push("DEL", key, []);
  }
  setFields(key: string, fields: readonly Argument[]): void {
    this.#pushAll("HSET", key, fields);
  }
  removeField(key: string, field: string): void {
    this.#push("HDEL", key, [field]);
  }
  addMembers(key: string, members: readonly string[]): void {
    this.#pushAll("SADD", key, members);
  }
  removeMembers(key: string, members: readonly string[]): void {
    this.#pushAll("SREM", key, members);
  }
  set(key: string, value: Argument, ttlMs: number): void {
    this.#push("SET", key, [value, "PX", String(ttlMs)]);
  }

  rank(key: string, score: number, member: string): void {
    this.#push("ZADD", key, [String(score), member]);
  }
  /** Drops the lowest members past `count`. */
  keepRanks(key: string, count: number): void {
    this.#push("ZREMRANGEBYRANK", key, ["0", String(-count - 1)]);
  }

  #pushAll(name: string, key: string, args: readonly Argument[]): void {
    for (let at = 0; at < args.length; at += ARGUMENTS_MAX) {
      this.#push(name, key, args.slice(at, at + ARGUMENTS_MAX));
    }
  }

  #push(name: string, key: string, args: readonly Argument[]): void {
    let index = this.#keys.get(key);
    if (index === undefined) {
      index = FIXED_KEYS + 1 + this.#keys.size;
      this.#keys.set(key, index);
    }
    const plain = args.map((arg) => (typeof arg === "string" ? arg : this.#blobs.push(arg)));
    this.#list.push([name, index, ...plain]);
  }
}
