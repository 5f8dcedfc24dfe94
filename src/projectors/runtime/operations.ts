/**
 * The writes of one batch, in the closed set that `apply.lua` executes. A
 * projection says what is to be written; nothing is written outside a batch.
 */
import type { RedisArg } from "../../redis/connect.ts";

/** KEYS of `apply.lua` before the first changed key. */
const FIXED_KEYS = 4;

export class Operations {
  readonly #keys = new Map<string, number>();
  readonly #args: RedisArg[] = [];

  /** Keys that the batch changes, in the order in which the operations number them. */
  get keys(): readonly string[] {
    return [...this.#keys.keys()];
  }
  get args(): readonly RedisArg[] {
    return this.#args;
  }

  append(key: string, id: string, fields: readonly RedisArg[]): void {
    this.#push("XADD", key, [id, ...fields]);
  }
  /** Approximately: whole nodes are dropped, so a little more than `length` may stay. */
  trim(key: string, length: number): void {
    this.#push("XTRIM", key, ["MAXLEN", "~", length]);
  }
  setFields(key: string, fields: readonly RedisArg[]): void {
    this.#push("HSET", key, fields);
  }
  removeField(key: string, field: string): void {
    this.#push("HDEL", key, [field]);
  }
  set(key: string, value: RedisArg, ttlMs: number): void {
    this.#push("SET", key, [value, "PX", ttlMs]);
  }

  /** Index of the next argument within `args`. */
  get nextArg(): number {
    return this.#args.length;
  }

  #push(name: string, key: string, args: readonly RedisArg[]): void {
    let index = this.#keys.get(key);
    if (index === undefined) {
      index = FIXED_KEYS + 1 + this.#keys.size;
      this.#keys.set(key, index);
    }
    this.#args.push(name, index, args.length, ...args);
  }
}
