import { describe, expect, it } from "vitest";

import { RecentMap } from "../../src/projectors/runtime/recent-map.ts";

describe("recent map", () => {
  it("[PR10] holds about its bound, and keeps what is in use", () => {
    const map = new RecentMap<string, number>();
    map.set("used", 0);
    for (let i = 1; i <= 1_000; i++) {
      map.set(`k${i}`, i);
      expect(map.get("used")).toBe(0);
      map.shrink(10);
      expect(map.size).toBeLessThanOrEqual(10);
      expect(map.get(`k${i}`)).toBe(i);
    }
    expect(map.has("k1")).toBe(false);
    expect(map.get("k1")).toBeUndefined();
  });

  it("[PR10] forgets nothing while it is not asked to", () => {
    const map = new RecentMap<number, number>();
    for (let i = 0; i < 100; i++) map.set(i, i);
    map.shrink(200);
    for (let i = 0; i < 100; i++) expect(map.get(i)).toBe(i);
    map.set(3, 33);
    expect([map.get(3), map.size]).toEqual([33, 100]);
  });
});
