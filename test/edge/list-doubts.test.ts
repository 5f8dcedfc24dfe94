/** Whom an edge tells after missed bells that their list may be old, and how many at a time. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import {
  DOUBT_EVERY_MS,
  DOUBTS_AT_ONCE,
  ListDoubts,
  type Doubter,
} from "../../src/edge/list-doubts.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

class Device implements Doubter {
  user: string | null = "ann";
  readonly told: unknown[] = [];
  send(frame: unknown): void {
    this.told.push(frame);
  }
}
const devicesOf = (count: number): Device[] => Array.from({ length: count }, () => new Device());
const toldOf = (devices: readonly Device[]): number[] => devices.map(({ told }) => told.length);

it("[LI6] tells each device once, and only so many at a time", async () => {
  const devices = devicesOf(3 * DOUBTS_AT_ONCE + 1);
  const doubts = new ListDoubts(() => devices);
  doubts.missed();
  doubts.missed();
  for (let told = 0; told <= devices.length; told += DOUBTS_AT_ONCE) {
    expect(toldOf(devices).filter((times) => times === 1)).toHaveLength(told);
    await vi.advanceTimersByTimeAsync(DOUBT_EVERY_MS);
  }
  expect(toldOf(devices)).toEqual(devices.map(() => 1));
  expect(devices[0]?.told).toEqual([{ type: "roomsChanged", rooms: [] }]);
  await vi.advanceTimersByTimeAsync(10 * DOUBT_EVERY_MS);
  expect(toldOf(devices)).toEqual(devices.map(() => 1));
  doubts.missed();
  await vi.advanceTimersByTimeAsync(10 * DOUBT_EVERY_MS);
  expect(toldOf(devices)).toEqual(devices.map(() => 2));
});

it("[LI6] keeps nobody who is gone, and tells nobody who is not welcome yet or after its stop", async () => {
  const devices = devicesOf(4 * DOUBTS_AT_ONCE);
  const doubts = new ListDoubts(() => devices);
  const gone = devices.slice(0, DOUBTS_AT_ONCE);
  const greeting = new Device();
  greeting.user = null;
  devices.push(greeting);
  doubts.missed();
  expect(doubts.size).toBe(4 * DOUBTS_AT_ONCE);
  for (const device of gone) device.user = null;
  doubts.missed();
  expect(doubts.size).toBe(3 * DOUBTS_AT_ONCE);
  await vi.advanceTimersByTimeAsync(DOUBT_EVERY_MS);
  doubts.stop();
  await vi.advanceTimersByTimeAsync(10 * DOUBT_EVERY_MS);
  expect(toldOf(devices).reduce((sum, times) => sum + times)).toBe(DOUBTS_AT_ONCE);
  expect(toldOf([...gone, greeting]).every((times) => times === 0)).toBe(true);
});
