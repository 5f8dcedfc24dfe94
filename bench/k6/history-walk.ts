/** Reading a room from one end to the other, over and over, and looking whether it is all there. */
import http from "k6/http";

import type { Entry } from "../../src/protocol/frames.ts";
import type { RoomId } from "../../src/protocol/ids.ts";
import { authorized } from "./credentials.ts";
import { Device } from "./device.ts";
import * as measures from "./measures.ts";
import type { Plan } from "./plan.ts";
import { RoomLedger } from "./room-ledger.ts";
import { speakersBefore } from "./stage.ts";

const PAGE_ENTRIES = 100;
export interface Walk {
  readonly plan: Plan;
  readonly url: string;
  readonly room: RoomId;
  readonly user: string;
  readonly device: string;
}

/** What HTTP answers; see section 8 of docs/client-protocol.md. */
interface Page {
  readonly head: number;
  readonly more: boolean;
  readonly entries: readonly Entry[];
}

/** A device of the reader, who is in the room from here on. */
export async function enter({ plan, url, room, user, device: name }: Walk): Promise<Device> {
  const device = new Device({ plan, url, user, device: name, tickets: false });
  await device.connect();
  await device.perform({ type: "join", room });
  return device;
}

/** Oldest first, by `resume` from before the first entry. False when anything was missing. */
export async function walkBySocket(
  device: Device,
  { plan, room }: Walk,
  untilMs: number,
): Promise<boolean> {
  let whole = true;
  while (whole && Date.now() < untilMs) {
    const ledger = new RoomLedger(room, speakersBefore(plan), measures.reportFault);
    await device.follow(ledger);
    whole = isWhole(ledger);
    device.unfollow();
    measures.walks.add(1, { via: "socket" });
  }
  device.leave();
  return whole;
}

/** Newest first, as somebody scrolls back. False when anything was missing. */
export async function walkByHttp(walk: Walk, untilMs: number): Promise<boolean> {
  let whole = true;
  while (whole && Date.now() < untilMs) {
    const pages: (readonly Entry[])[] = [];
    let before: number | null = null;
    for (let more = true; more;) {
      const page: Page | null = await readPage(walk, before);
      if (page === null) return false;
      pages.unshift(page.entries);
      before = page.entries[0]?.seq ?? null;
      more = page.more && before !== null;
    }
    const ledger = new RoomLedger(walk.room, speakersBefore(walk.plan), measures.reportFault);
    for (const entry of pages.flat()) {
      if (ledger.take(entry) === "copy") measures.reportFault("doubled", 1, walk.room);
    }
    whole = isWhole(ledger);
    measures.walks.add(1, { via: "http" });
  }
  return whole;
}

function isWhole(ledger: RoomLedger): boolean {
  return ledger.isComplete && ledger.faults === 0;
}

async function readPage(
  { plan, url, room, user }: Walk,
  before: number | null,
): Promise<Page | null> {
  const query = `limit=${PAGE_ENTRIES}${before === null ? "" : `&before=${before}`}`;
  const address = `${url}/v1/rooms/${room}/messages?${query}`;
  const response = await http.asyncRequest("GET", address, null, authorized(plan, user, "page"));
  measures.pageMs.add(response.timings.duration, { via: "http" });
  if (response.status === 200) return response.json() as unknown as Page;
  measures.failed("page", response.status_text);
  return null;
}
