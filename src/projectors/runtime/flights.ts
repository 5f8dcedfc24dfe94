/**
 * Work that goes on while its starter does: at most so much at a time, and none of
 * it forgotten. A failure waits until it is asked for, so that it is never unhandled.
 */
export class Flights {
  readonly #most: number;
  readonly #underWay = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | null = null;

  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves when there is room for another one. */
  async add(work: Promise<void>): Promise<void> {
    const flight = work
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#underWay.delete(flight));
    this.#underWay.add(flight);
    while (this.#underWay.size >= this.#most) await Promise.race(this.#underWay);
  }

  /** Resolves when nothing is under way; throws the first failure. */
  async landed(): Promise<void> {
    await Promise.all(this.#underWay);
    if (this.#failure !== null) throw this.#failure.error;
  }
}
