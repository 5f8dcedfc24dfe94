/**
 * One device a nick, with a socket of its own. They connect when they are first
 * needed and stay; only past the bound the one that was idle longest is closed,
 * and comes back as the same device when it has something to say again.
 */
import type { ChatClient } from "../../client/client.ts";
import { memoryDevice, type DeviceStore } from "../../client/device.ts";
import type { Audience } from "./audience.ts";
import { openClient, type EngineAccess } from "./engine-access.ts";

/** File descriptors for everything but the sockets of devices. */
const SPARE_DESCRIPTORS = 500;
const SOCKETS_MAX = 12_000;

export interface Device {
  readonly client: ChatClient;
  /** Resolves at the first welcome. */
  readonly live: Promise<void>;
  /** Follows and attends the rooms that it is in. */
  readonly attends: boolean;
}

export interface DevicesOptions {
  readonly access: EngineAccess;
  readonly audience: Pick<Audience, "attends" | "hangsUp">;
  /** Default: what the kernel allows this process. */
  readonly socketsMax?: number;
}

export class Devices {
  readonly #access: EngineAccess;
  readonly #audience: DevicesOptions["audience"];
  readonly #socketsMax: number;
  /** Survive their clients: a number must not be given out twice. */
  readonly #stores = new Map<string, { readonly store: DeviceStore; readonly nth: number }>();
  /** The one that was used longest ago comes first. */
  readonly #open = new Map<string, Device>();
  #reconnects = 0;
  #attending = 0;
  #hungUp = 0;

  constructor({ access, audience, socketsMax = socketsAllowed() }: DevicesOptions) {
    this.#access = access;
    this.#audience = audience;
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

  /** Devices that have attended rooms. */
  get attending(): number {
    return this.#attending;
  }
  get hungUp(): number {
    return this.#hungUp;
  }

  get(nick: string): Device {
    const known = this.#open.get(nick);
    const device = known ?? this.#connect(nick);
    // To the end of the queue.
    this.#open.delete(nick);
    this.#open.set(nick, device);
    return device;
  }

  /** Whether the device is connected and attends the rooms that it is in. */
  attends(nick: string): boolean {
    return this.#open.get(nick)?.attends ?? false;
  }

  /** Some of those who attend are gone without having left a room. */
  hangUp(): void {
    for (const [nick, { attends }] of this.#open) {
      if (!attends || !this.#audience.hangsUp(nick)) continue;
      this.#end(nick);
      this.#hungUp++;
    }
  }

  close(): void {
    for (const { client } of this.#open.values()) client.close();
    this.#open.clear();
  }

  #connect(nick: string): Device {
    if (this.#open.size >= this.#socketsMax) this.#closeIdle();
    let known = this.#stores.get(nick);
    // One that comes back knows nothing of the rooms it was in, so it attends none.
    const attends = !known && this.#audience.attends(nick);
    if (!known) this.#stores.set(nick, (known = { store: memoryDevice(), nth: this.#stores.size }));
    if (attends) this.#attending++;
    const { store, nth } = known;
    const client = openClient(this.#access, { user: nick, edge: nth, device: store });
    let welcomes = 0;
    client.on("state", ({ name }) => {
      if (name === "live" && ++welcomes > 1) this.#reconnects++;
    });
    return { client, live: client.connect(), attends };
  }

  #closeIdle(): void {
    for (const [nick, { client }] of this.#open) {
      if (client.unsettled > 0) continue;
      return this.#end(nick);
    }
  }

  #end(nick: string): void {
    this.#open.get(nick)?.client.close();
    this.#open.delete(nick);
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
