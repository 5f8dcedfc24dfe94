/**
 * A bounded cache that knows use by generations: what was not used while a whole
 * generation grew is forgotten. Cheaper than an exact order of use, which costs
 * a delete and an insert for every look.
 */
export class RecentMap<K, V> {
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  has(key: K): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.#old.delete(key);
    this.#young.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    this.#old.delete(key);
    this.#young.set(key, value);
  }

  /** Begins a new generation when the young one has half of `most` keys: about `most` stay at any time. */
  shrink(most: number): void {
    if (2 * this.#young.size < most) return;
    this.#old = this.#young;
    this.#young = new Map();
  }
}
