/**
 * One device a nick, with a socket of its own. They connect when they are first
 * needed and stay; only past the bound the one that was idle longest is closed,
 * and comes back as the same device when it has something to say again.
 */
import type { ChatClient } from "../../client/client.ts";
import { memoryDevice, type DeviceStore } from "../../client/device.ts";
import { openClient, type EngineAccess } from "./engine-access.ts";

/**
 * Every so many devices one follows the rooms that it is in: its own messages
 * come back as entries, those of the others as `applied`.
 */
const FOLLOWS_EVERY = 16;
/** File descriptors for everything but the sockets of devices. */
const SPARE_DESCRIPTORS = 500;
const SOCKETS_MAX = 12_000;

export interface Device {
  readonly client: ChatClient;
  /** Resolves at the first welcome. */
  readonly live: Promise<void>;
  readonly follows: boolean;
}

export class Devices {
  readonly #access: EngineAccess;
  readonly #socketsMax: number;
  /** Survive their clients: a number must not be given out twice. */
  readonly #stores = new Map<string, { readonly store: DeviceStore; readonly nth: number }>();
  /** The one that was used longest ago comes first. */
  readonly #open = new Map<string, Device>();
  #reconnects = 0;

  constructor(access: EngineAccess, socketsMax = socketsAllowed()) {
    this.#access = access;
    this.#socketsMax = socketsMax;
  }

  /** Devices that there were in all. */
  get size(): number {
    return this.#stores.size;
  }
  /** Connections that were lost and made anew. */
  get reconnects(): number {
    return this.#reconnects;
  }

  get(nick: string): Device {
    const known = this.#open.get(nick);
    const device = known ?? this.#connect(nick);
    // To the end of the queue.
    this.#open.delete(nick);
    this.#open.set(nick, device);
    return device;
  }

  close(): void {
    for (const { client } of this.#open.values()) client.close();
    this.#open.clear();
  }

  #connect(nick: string): Device {
    if (this.#open.size >= this.#socketsMax) this.#closeIdle();
    let known = this.#stores.get(nick);
    if (!known) this.#stores.set(nick, (known = { store: memoryDevice(), nth: this.#stores.size }));
    const { store, nth } = known;
    const client = openClient(this.#access, { user: nick, edge: nth, device: store });
    let welcomes = 0;
    client.on("state", ({ name }) => {
      if (name === "live" && ++welcomes > 1) this.#reconnects++;
    });
    return { client, live: client.connect(), follows: nth % FOLLOWS_EVERY === 0 };
  }

  #closeIdle(): void {
    for (const [nick, { client }] of this.#open) {
      if (client.unsettled > 0) continue;
      client.close();
      this.#open.delete(nick);
      return;
    }
  }
}

/** The kernel's limit for this process, or our own where that is lower. */
function socketsAllowed(): number {
  const report = process.report.getReport() as { userLimits?: Record<string, { soft: unknown }> };
  const descriptors = Number(report.userLimits?.["open_files"]?.soft);
  // `unlimited` is no number.
  if (!Number.isFinite(descriptors)) return SOCKETS_MAX;
  return Math.max(1, Math.min(SOCKETS_MAX, descriptors - SPARE_DESCRIPTORS));
}
