/** The typed faces of the projector's scripts. */
import type { Brand } from "../../protocol/ids.ts";
import { pack } from "../../protocol/msgpack.ts";
import type { Position } from "../../redis/position.ts";
import { array, asInteger, asText } from "../../redis/replies.ts";
import { CLOCK } from "../../redis/clock.ts";
import { Script, type ScriptCall } from "../../redis/script.ts";
import { BELLS_KEPT } from "../../streams/bell.ts";
import { CORE_GROUP, type Keys } from "../../streams/keys.ts";
import type { PartitionId } from "../../streams/partitions.ts";
import type { Batch } from "./batch.ts";

/** Text `token:owner`, issued with a lease and compared by every APPLY. */
export type Fence = Brand<string, "Fence">;

export interface Grant {
  readonly outcome: "granted";
  readonly fence: Fence;
  readonly checkpoint: Position;
  /** Commands and log entries applied up to the checkpoint. */
  readonly commands: number;
  readonly entries: number;
  /** Acquisitions since the checkpoint last moved. */
  readonly tries: number;
  /** Place of the command that a worker died at last, as far as one said; "" for none. */
  readonly struck: string;
  /** How many workers in a row died there. */
  readonly strikes: number;
}
export type Acquired = Grant | { readonly outcome: "taken"; readonly leftMs: number };

export const acquireScript = new Script<Acquired>({
  file: new URL("./acquire.lua", import.meta.url),
  library: CLOCK,
  keys: ["events", "lease", "checkpoint"],
  args: ["owner", "ttl", "grace", "group"],
  decode(reply) {
    const [granted, ...rest] = array(reply);
    if (asInteger(granted) === 0) return { outcome: "taken", leftMs: asInteger(rest[0]) };
    const [fence, checkpoint, commands, entries, tries, struck, strikes] = rest;
    return {
      outcome: "granted",
      fence: asText(fence) as Fence,
      checkpoint: asText(checkpoint) as Position,
      commands: asInteger(commands),
      entries: asInteger(entries),
      tries: asInteger(tries),
      struck: asText(struck),
      strikes: asInteger(strikes),
    };
  },
});

export const renewScript = new Script<boolean>({
  file: new URL("./renew.lua", import.meta.url),
  library: CLOCK,
  keys: ["lease", "checkpoint"],
  args: ["fence", "ttl"],
  decode: (reply) => asInteger(reply) === 1,
});

export const releaseScript = new Script<boolean>({
  file: new URL("./release.lua", import.meta.url),
  library: CLOCK,
  keys: ["lease", "checkpoint"],
  args: ["fence"],
  decode: (reply) => asInteger(reply) === 1,
});

/** Ids of all live workers, the caller among them. */
export const beatScript = new Script<readonly string[]>({
  file: new URL("./beat.lua", import.meta.url),
  library: CLOCK,
  keys: ["workers"],
  args: ["worker", "ttl"],
  decode: (reply) => array(reply).map(asText),
});

export type Applied =
  | { readonly outcome: "applied" | "already" }
  | { readonly outcome: "stale"; readonly checkpoint: Position }
  | { readonly outcome: "fenced"; readonly by: string }
  | { readonly outcome: "truncated"; readonly why: string }
  | { readonly outcome: "diverged"; readonly got: string };

const applyScript = new Script<Applied>({
  file: new URL("./apply.lua", import.meta.url),
  keys: ["events", "checkpoint", "bell", "...changed"],
  args: [
    "fence",
    "group",
    "worker",
    "from",
    "first",
    "to",
    "entries",
    "commands",
    "bells",
    "header",
    "writes",
    "...blobs",
  ],
  decode(reply) {
    const [name, detail] = array(reply);
    const outcome = asText(name);
    switch (outcome) {
      case "applied":
      case "already":
        return { outcome };
      case "stale":
        return { outcome, checkpoint: asText(detail) as Position };
      case "fenced":
        return { outcome, by: asText(detail) };
      case "truncated":
        return { outcome, why: asText(detail) };
      case "diverged":
        return { outcome, got: asText(detail) };
    }
    throw new Error(`apply.lua answered ${outcome}`);
  },
});
/** APPLY of one batch by one owner; the same call may be made as often as it takes. */
export function applyCall(
  keys: Keys,
  owner: { readonly partition: PartitionId; readonly fence: Fence; readonly worker: string },
  batch: Batch,
): ScriptCall<Applied> {
  const { partition, fence, worker } = owner;
  // One argument for all operations: thousands of small ones cost both sides more than the work.
  const writes = pack([batch.operations.list, batch.inline]);
  return applyScript.call(
    [
      keys.events(partition),
      keys.checkpoint(partition),
      keys.bell(partition),
      ...batch.operations.keys,
    ],
    [
      fence,
      CORE_GROUP,
      worker,
      batch.from,
      batch.first,
      batch.to,
      batch.entries,
      batch.commands,
      BELLS_KEPT,
      batch.bellHeader as Buffer,
      writes as Buffer,
      ...batch.operations.blobs,
    ],
  );
}
