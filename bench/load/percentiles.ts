import type { Percentiles } from "./plan.ts";

/** Keeps every sample, so that the percentiles are exact. */
export class Samples {
  #values: Float64Array;
  #size = 0;

  constructor(expected: number) {
    this.#values = new Float64Array(Math.max(1_024, expected));
  }

  add(value: number): void {
    if (this.#size === this.#values.length) {
      const larger = new Float64Array(this.#size * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#size++] = value;
  }

  percentiles(): Percentiles {
    const sorted = this.#values.subarray(0, this.#size).sort();
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
    return {
      samples: sorted.length,
      p50: at(0.5),
      p99: at(0.99),
      p999: at(0.999),
      max: sorted.at(-1) ?? 0,
    };
  }
}
