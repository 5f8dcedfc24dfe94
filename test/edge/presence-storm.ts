/**
 * Users with several devices each, who come to rooms and go by chance, over edges
 * that are killed and suspended; and the plain truth of who is there.
 */
import type { RoomId } from "../../src/protocol/ids.ts";
import { Chance } from "../projectors/chance.ts";
import { pause } from "../projectors/talkers.ts";
import type { PresenceTimes } from "../../src/edge/presence-partition.ts";
import type { EdgeChild } from "./edge-child.ts";
import { token } from "./engine.ts";
import { createRoom, Peer } from "./peer.ts";
import { attend } from "./watch.ts";

export const STORM_ROOMS = ["red", "green", "blue", "grey"] as const;
const USERS = ["ann", "ben", "cat", "dan", "eve", "fay"] as const;
const EDGES = 3;

export interface Device {
  readonly user: string;
  readonly edge: EdgeChild;
  readonly peer: Peer;
  /** That it attends. */
  readonly rooms: Set<string>;
}

let made = 0;
export async function connect(edge: EdgeChild, user: string): Promise<Device> {
  const peer = new Peer({ address: edge.address, device: `d-${++made}` });
  await peer.opened();
  await peer.hello(await token(user));
  return { user, edge, peer, rooms: new Set() };
}

export class PresenceStorm {
  readonly #chance: Chance;
  readonly #startEdge: () => Promise<EdgeChild>;
  readonly #times: PresenceTimes;
  #edges: EdgeChild[] = [];
  #devices: Device[] = [];

  private constructor(seed: number, startEdge: () => Promise<EdgeChild>, times: PresenceTimes) {
    this.#chance = new Chance(seed);
    this.#startEdge = startEdge;
    this.#times = times;
  }

  /** With edges, rooms and their members. */
  static async start(
    seed: number,
    startEdge: () => Promise<EdgeChild>,
    times: PresenceTimes,
  ): Promise<PresenceStorm> {
    const storm = new PresenceStorm(seed, startEdge, times);
    for (let i = 0; i < EDGES; i++) storm.#edges.push(await startEdge());
    const [edge] = storm.#edges as [EdgeChild];
    const founder = await connect(edge, "founder");
    for (const room of STORM_ROOMS) await createRoom(founder.peer, room);
    founder.peer.terminate();
    for (const user of USERS) {
      const { peer } = await connect(edge, user);
      for (const room of STORM_ROOMS) await peer.insist({ type: "join", room });
      peer.terminate();
    }
    return storm;
  }

  async step(): Promise<void> {
    const dice = this.#chance.next();
    if (dice < 0.3) await this.#arrive();
    else if (dice < 0.55) await this.#enter(this.#someone());
    else if (dice < 0.72) this.#depart();
    else if (dice < 0.97) this.#leave();
    else if (dice < 0.985) await this.#kill();
    else if (dice < 0.993) await this.#suspend();
    else await pause(this.#times.graceMs);
  }

  #someone(): Device | null {
    return this.#devices.length > 0 ? this.#chance.pick(this.#devices) : null;
  }

  async #arrive(): Promise<void> {
    const device = await connect(this.#chance.pick(this.#edges), this.#chance.pick(USERS));
    this.#devices.push(device);
    await this.#enter(device);
  }

  async #enter(device: Device | null): Promise<void> {
    if (!device) return;
    const room = this.#chance.pick(STORM_ROOMS);
    await device.peer.follow(room);
    attend(device.peer, room);
    device.rooms.add(room);
  }

  #depart(): void {
    const device = this.#someone();
    device?.peer.terminate();
    this.#devices = this.#devices.filter((each) => each !== device);
  }

  #leave(): void {
    const device = this.#someone();
    const [room] = device?.rooms ?? [];
    if (!device || room === undefined) return;
    device.peer.send({ type: "unsubscribe", rooms: [room as RoomId] });
    device.rooms.delete(room);
  }

  async #kill(): Promise<void> {
    const victim = this.#chance.pick(this.#edges);
    await victim.kill();
    this.#devices = this.#devices.filter(({ edge }) => edge !== victim);
    this.#edges = this.#edges.filter((edge) => edge !== victim);
    this.#edges.push(await this.#startEdge());
  }

  /** For less than its lease, or for more. */
  async #suspend(): Promise<void> {
    const sleeper = this.#chance.pick(this.#edges);
    sleeper.suspend();
    await pause(this.#times.leaseMs * (this.#chance.often(0.5) ? 0.3 : 2));
    sleeper.resume();
  }

  /** Who is there, as their sockets say. */
  truth(room: string): string[] {
    const there = this.#devices.filter(({ rooms }) => rooms.has(room));
    return [...new Set(there.map(({ user }) => user))].sort();
  }

  observers(room: string): Peer[] {
    return this.#devices.filter(({ rooms }) => rooms.has(room)).map(({ peer }) => peer);
  }

  violations(): string[] {
    return this.#devices.flatMap(({ peer }) => peer.violations);
  }

  end(): void {
    for (const { peer } of this.#devices) peer.terminate();
  }
}
