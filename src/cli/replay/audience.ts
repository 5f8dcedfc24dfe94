/**
 * Who of the devices attends the rooms that it is in. Whoever attends follows, so a
 * room costs its entries times its attendees; past a bound fewer devices do, always
 * the same ones for one seed.
 */
import type { Plan } from "./plan.ts";
import { seededRandom } from "./random.ts";

/** Entries shown to attendees in the whole play, each of them a frame to be read in this process. */
export const SHOWN_MAX = 500_000;
/** The others speak unseen and have their outcomes by `applied`, not by entries: both are to work. */
export const SHARE_MAX = 0.75;
/** Of those who attend so many hang up at the end without a word. */
const HANG_UP_SHARE = 0.5;

export class Audience {
  /** Of the devices, 0 to SHARE_MAX. */
  readonly share: number;
  readonly seed: number;

  constructor(plans: readonly Pick<Plan, "shown">[], seed: number) {
    const shown = plans.reduce((sum, plan) => sum + plan.shown, 0);
    this.share = Math.min(SHARE_MAX, SHOWN_MAX / Math.max(1, shown));
    this.seed = seed;
  }

  attends(nick: string): boolean {
    return chanceOf(nick, this.seed) < this.share;
  }

  /** Among those who attend. */
  hangsUp(nick: string): boolean {
    return chanceOf(`${nick} hangs up`, this.seed) < HANG_UP_SHARE;
  }
}

/** The same number from 0 to 1 for the same name and seed. */
function chanceOf(name: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return seededRandom(hash)();
}
