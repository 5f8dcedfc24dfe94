import { describe, expect, it } from "vitest";

import { Flights } from "../../src/projectors/runtime/flights.ts";

/** Work that ends when told to. */
function work(): { done: Promise<void>; end: () => void; fail: (why: string) => void } {
  let end = (): void => {};
  let fail = (_why: string): void => {};
  const done = new Promise<void>((resolve, reject) => {
    end = resolve;
    fail = (why) => reject(new Error(why));
  });
  return { done, end, fail };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("flights", () => {
  it("[PR10] are so many at a time and not one more", async () => {
    const flights = new Flights(2);
    const [one, two] = [work(), work()];
    await flights.add(one.done);
    let added = false;
    const adding = flights.add(two.done).then(() => (added = true));
    await turn();
    expect(added).toBe(false);
    one.end();
    await adding;
    two.end();
    await flights.landed();
  });

  it("[PR10] tell of a failure at the end, after the others have landed", async () => {
    const flights = new Flights(3);
    const [one, two] = [work(), work()];
    await flights.add(one.done);
    await flights.add(two.done);
    one.fail("first");
    await turn();
    let landed = false;
    const all = flights.landed().finally(() => (landed = true));
    await turn();
    expect(landed).toBe(false);
    two.end();
    await expect(all).rejects.toThrow("first");
  });
});
