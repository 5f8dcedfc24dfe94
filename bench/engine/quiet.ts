/** Waits for a machine on which nobody else is at work, because other work is in every figure. */
import { cpus } from "node:os";

import { machineBusyUs } from "./process-usage.ts";

const LOOK_MS = 3_000;
/** Of all cores. */
const BUSY_SHARE_MAX = 0.08;
/** Then it is measured all the same; how much others used meanwhile is in the result. */
const WAIT_MS_MAX = 180_000;

export async function untilQuiet(say: (text: string) => void): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (performance.now() < deadline) {
    const [before, since] = [machineBusyUs(), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const elapsedUs = (performance.now() - since) * 1_000;
    const share = (machineBusyUs() - before) / (elapsedUs * cpus().length);
    if (share <= BUSY_SHARE_MAX) return;
    say(`waiting until the machine is quiet, ${Math.round(share * 100)} % of it is in use`);
  }
}
