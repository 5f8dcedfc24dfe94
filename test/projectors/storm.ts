/**
 * A storm: devices talk, edges append, projectors fold, and meanwhile lines
 * break, replies are lost, edges and projectors come and go. When it is over
 * and every command has its outcome, the deployment is compared with the
 * reference.
 */
import type { Ingest } from "../../src/ingest/ingest.ts";
import type { ProjectorOptions, RunningProjector } from "../../src/projectors/worker.ts";
import { connectForCommands, type Redis } from "../../src/redis/connect.ts";
import { Keys } from "../../src/streams/keys.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { TestRedis } from "../support/redis-server.ts";
import { Chance } from "./chance.ts";
import { SILENT } from "./scene.ts";
import { BellReader, pause, StormEdge, Talker } from "./talkers.ts";
import { Verification, type Violation } from "./verify.ts";

/** The engine under test: the one in src, or a mutant of it. */
export interface Engine {
  readonly Ingest: typeof Ingest;
  readonly startProjector: (options: ProjectorOptions) => Promise<RunningProjector>;
}

/** A projector that may be killed without a word, for instance a process. */
export interface Killable {
  kill(): void;
  /** Stops it in its tracks, longer than its lease, and lets it go on. */
  suspend(ms: number): void;
  stop(): Promise<void>;
}

export interface StormOptions {
  readonly seed: number;
  readonly ms: number;
  /** How long everything may take to come to rest; a command times out after three seconds. */
  readonly restMs?: number;
  /** Starts projectors beside those in this process. */
  readonly outside?: (options: Omit<ProjectorOptions, "log">) => Promise<Killable>;
}

const CAST = {
  users: ["ann", "ben", "cat", "dan", "eve", "fay"],
  rooms: Array.from({ length: 10 }, (_, i) => `room-${i}`),
} as const;
const DEVICES = 14;
const EDGES = 3;
const PARTITIONS = 4;
const BACKLOG_MAX = 60;
const LEASE = { leaseTtlMs: 500, leaseRenewMs: 120 } as const;
const PROJECTORS_MAX = 3;
const REST_MS = 30_000;

export interface Aftermath {
  /** What did not hold; empty when all went well. */
  readonly violations: readonly Violation[];
  /** Different commands in the log, and further copies of them. */
  readonly commands: number;
  readonly copies: number;
}

export class Storm {
  readonly #engine: Engine;
  readonly #chance: Chance;
  readonly #options: StormOptions;
  readonly #keys = new Keys(PARTITIONS);
  readonly #talkers: Talker[] = [];
  readonly #edges: StormEdge[] = [];
  #projectors: RunningProjector[] = [];
  #outside: Killable[] = [];
  #edgeNumber = 0;
  #over = false;

  private constructor(engine: Engine, options: StormOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#chance = new Chance(options.seed);
  }

  static async rage(engine: Engine, options: StormOptions): Promise<Aftermath> {
    const storm = new Storm(engine, options);
    const server = await TestRedis.start();
    const proxy = await FaultProxy.start(server.socket);
    const direct = await connectForCommands({ url: server.url, name: "direct", log: SILENT });
    try {
      return await storm.#rage(proxy, direct);
    } finally {
      storm.#over = true;
      for (const edge of storm.#edges) edge.kill();
      for (const projector of storm.#outside) projector.kill();
      await Promise.all(storm.#projectors.map((projector) => projector.stop()));
      direct.disconnect();
      await proxy.stop();
      await server.stop();
    }
  }

  async #rage(proxy: FaultProxy, direct: Redis): Promise<Aftermath> {
    for (let i = 0; i < EDGES; i++) this.#edges.push(await this.#startEdge(proxy.url));
    for (let i = 0; i < DEVICES; i++) {
      const user = CAST.users[i % CAST.users.length] as string;
      this.#talkers.push(new Talker(i, user, this.#chance.pick(this.#edges), CAST, this.#chance));
    }
    await this.#startProjector(proxy.url);
    if (this.#options.outside) await this.#startOutside(proxy.url);
    const bells = this.#hearBells(new BellReader(direct, this.#keys));

    this.#calm(proxy);
    const until = performance.now() + this.#options.ms;
    const talking = this.#talk(until);
    while (performance.now() < until) {
      await this.#mischief(proxy);
      await pause(this.#chance.between(10, 120));
    }
    await talking;
    proxy.heal();
    if (this.#projectors.length === 0) await this.#startProjector(proxy.url);
    const stuck = await this.#comeToRest(direct);
    this.#over = true;
    await bells;
    await Promise.all(this.#outside.map((projector) => projector.stop()));
    await Promise.all(this.#projectors.map((projector) => projector.stop()));
    this.#projectors = [];

    const accepted = new Set(this.#talkers.flatMap((talker) => [...talker.accepted]));
    const verification = new Verification(direct, this.#keys);
    const violations = [...(await verification.run(accepted)), ...stuck];
    const commands = verification.reference.results.size;
    return { violations, commands, copies: verification.commands - commands };
  }

  async #talk(until: number): Promise<void> {
    while (performance.now() < until) {
      for (const talker of this.#talkers) {
        if (this.#chance.often(0.3)) talker.talk();
        if (this.#chance.often(0.01)) talker.echo();
        if (this.#chance.often(0.004)) talker.resend(this.#chance.pick(this.#edges));
      }
      await pause(4);
    }
  }

  async #hearBells(reader: BellReader): Promise<void> {
    while (!this.#over) {
      for (const outcome of await reader.outcomes())
        this.#talkers[outcome.session]?.settle(outcome);
      await pause(4);
    }
  }

  /** One misfortune, by chance. */
  async #mischief(proxy: FaultProxy): Promise<void> {
    const chance = this.#chance;
    const draw = chance.next();
    if (draw < 0.3) void proxy.dropReply(chance.pick(["EVALSHA", "XREAD", "XREAD"]));
    else if (draw < 0.4) proxy.reset();
    else if (draw < 0.5) await this.#blackHole(proxy);
    else if (draw < 0.55) await this.#refuse(proxy);
    else if (draw < 0.72) this.#calm(proxy);
    else if (draw < 0.78) await this.#replaceEdge(proxy.url);
    else if (draw < 0.9) await this.#changeProjectors(proxy.url);
    else await this.#strikeOutside(proxy.url);
  }

  /** Ends all faults, but a network is never without delay: that is when things overtake. */
  #calm(proxy: FaultProxy): void {
    proxy.heal();
    proxy.delay("toServer", this.#chance.between(0, 10));
    proxy.delay("toClient", this.#chance.between(0, 10));
  }

  async #blackHole(proxy: FaultProxy): Promise<void> {
    proxy.blackHole(this.#chance.pick(["toServer", "toClient"]));
    await pause(this.#chance.between(20, 250));
    this.#calm(proxy);
  }

  async #refuse(proxy: FaultProxy): Promise<void> {
    proxy.refuse();
    await pause(this.#chance.between(20, 250));
    this.#calm(proxy);
  }

  async #startEdge(url: string): Promise<StormEdge> {
    const id = `edge-${this.#edgeNumber++}`;
    return StormEdge.start(id, new this.#engine.Ingest(this.#keys, id, BACKLOG_MAX), url);
  }

  async #replaceEdge(url: string): Promise<void> {
    const fresh = await this.#startEdge(url).catch(() => null); // the line may be down just now
    if (!fresh) return;
    const [gone] = this.#edges.splice(this.#chance.between(0, this.#edges.length - 1), 1, fresh);
    gone?.kill();
    for (const talker of this.#talkers) {
      if (talker.edge === gone) talker.resend(this.#chance.pick(this.#edges));
    }
  }

  #projectorOptions(redisUrl: string): Omit<ProjectorOptions, "log"> {
    return { redisUrl, partitions: PARTITIONS, ack: "memory", historyPerRoom: 100_000, ...LEASE };
  }

  async #startProjector(url: string): Promise<void> {
    const options = { ...this.#projectorOptions(url), log: SILENT };
    const started = await this.#engine.startProjector(options).catch(() => null);
    if (started) this.#projectors.push(started);
  }

  async #startOutside(url: string): Promise<void> {
    const started = await this.#options.outside?.(this.#projectorOptions(url)).catch(() => null);
    if (started) this.#outside.push(started);
  }

  async #changeProjectors(url: string): Promise<void> {
    if (this.#projectors.length < this.#chance.between(1, PROJECTORS_MAX)) {
      await this.#startProjector(url);
    } else {
      await this.#projectors.shift()?.stop();
    }
  }

  async #strikeOutside(url: string): Promise<void> {
    const [victim] = this.#outside;
    if (!victim) return;
    if (this.#chance.often(0.5)) {
      victim.suspend(LEASE.leaseTtlMs * 2);
      return;
    }
    victim.kill();
    this.#outside.shift();
    await this.#startOutside(url);
  }

  /** Every command gets its outcome; what has none in the end is a violation. */
  async #comeToRest(direct: Redis): Promise<Violation[]> {
    const deadline = performance.now() + (this.#options.restMs ?? REST_MS);
    for (let round = 1; this.#talkers.some(({ waiting }) => waiting > 0); round++) {
      await pause(20);
      // A device that hears nothing tries again, as after a reconnect.
      if (round % 50 === 0) for (const talker of this.#talkers) talker.resend();
      if (performance.now() < deadline) continue;
      const detail = this.#talkers.map(({ waiting }) => waiting).join(" ");
      return [{ property: "every command has its outcome in the end", detail }];
    }
    // What was appended twice is still to be folded; if it is not, the verification will say so.
    while (performance.now() < deadline && !(await this.#atTail(direct))) await pause(20);
    return [];
  }

  async #atTail(direct: Redis): Promise<boolean> {
    for (const partition of this.#keys.all()) {
      const [last] = await direct.xrevrange(this.#keys.events(partition), "+", "-", "COUNT", 1);
      const at = await direct.hget(this.#keys.checkpoint(partition), "id");
      if (last !== undefined && last[0] !== at) return false;
    }
    return true;
  }
}
