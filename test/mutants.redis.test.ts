/**
 * A test of the tests. Each protective check is taken out of a copy of the
 * engine, and the property that it protects has to fail there, after it has
 * held for the engine as it is.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import type * as IngestModule from "../src/ingest/ingest.ts";
import type * as FoldModule from "../src/projectors/runtime/fold.ts";
import type * as StateModule from "../src/projectors/runtime/partition-state.ts";
import type * as ScriptsModule from "../src/projectors/runtime/scripts.ts";
import type * as WorkerModule from "../src/projectors/worker.ts";
import { CORE_GROUP } from "../src/streams/keys.ts";
import { Hand } from "./projectors/commands.ts";
import { Compiled } from "./projectors/compiled.ts";
import { Scene, type Parts } from "./projectors/scene.ts";
import { Storm, type Engine } from "./projectors/storm.ts";
import type { Property } from "./projectors/verify.ts";

let compiled: Compiled;
let scene: Scene;
beforeAll(async () => {
  compiled = await Compiled.fromSources();
  scene = await Scene.start();
});
afterEach(async () => void (await scene.redis.flushall()));
afterAll(async () => {
  compiled.remove();
  await scene.stop();
});

/** Whether the property holds of the engine that the scene drives. */
type Holds = (scene: Scene) => Promise<boolean>;

/** Two owners, one batch: the first slept between XREAD and APPLY. */
const aZombieChangesNothing: Holds = async (on) => {
  const ann = new Hand("ann");
  await on.append(ann.creates(), ann.says("one"));
  const zombie = await on.acquire("w1");
  const batch = await on.decide(zombie);
  await on.acquire("w2");
  const before = await on.digest();
  await on.apply(zombie, batch).catch(() => "refused");
  return (await on.digest()) === before;
};

/** As after a lossy failover: the next owner gets the number of the last one again. */
const oneTokenIsNotOneFence: Holds = async (on) => {
  await on.append(new Hand("ann").creates());
  const one = await on.acquire("w1");
  await on.redis.hset(on.keys.lease(on.partition), "token", 0);
  const other = await on.acquire("w2");
  return one.fence !== other.fence;
};

/** Else an owner whose reply was lost would think that it had lost its partition. */
const aBatchAppliedTwiceIsKnownAgain: Holds = async (on) => {
  const ann = new Hand("ann");
  await on.append(ann.creates(), ann.says("one"));
  const grant = await on.acquire("w1");
  const batch = await on.decide(grant);
  await on.apply(grant, batch);
  const before = await on.digest();
  const again = await on.apply(grant, batch);
  return again.outcome === "already" && (await on.digest()) === before;
};

const aBatchFromElsewhereChangesNothing: Holds = async (on) => {
  const ann = new Hand("ann");
  await on.append(ann.creates());
  await on.append(ann.says("one"));
  const grant = await on.acquire("w1");
  const [first, both] = [await on.decide(grant, 1), await on.decide(grant)];
  await on.apply(grant, both);
  const before = await on.digest();
  await on.apply(grant, first).catch(() => "refused");
  return (await on.digest()) === before;
};

const nothingIsSkippedWhenTheGroupWasMoved: Holds = async (on) => {
  const ann = new Hand("ann");
  for (const command of [ann.creates(), ann.says("one"), ann.says("two")]) await on.append(command);
  const grant = await on.acquire("w1");
  const batch = await on.decide(grant, 1);
  const events = on.keys.events(on.partition);
  await on.redis.xreadgroup("GROUP", CORE_GROUP, "operator", "COUNT", 1, "STREAMS", events, ">");
  await on.apply(grant, batch);
  await on.apply(grant, batch);
  const group = await on.group();
  return group.get("pending") === "0" && group.get("last-delivered-id") === batch.to;
};

const aCutLogIsNoticed: Holds = async (on) => {
  const ann = new Hand("ann");
  for (const command of [ann.creates(), ann.says("one"), ann.says("two")]) await on.append(command);
  await on.redis.xtrim(on.keys.events(on.partition), "MAXLEN", 1);
  const grant = await on.acquire("w1");
  return (await on.apply(grant, await on.decide(grant))).outcome === "truncated";
};

const nothingIsWrittenBeforeAllIsChecked: Holds = async (on) => {
  const ann = new Hand("ann");
  await on.append(ann.creates(), ann.says("one"));
  const grant = await on.acquire("w1");
  const batch = await on.decide(grant);
  const { keys, list, blobs } = batch.operations;
  const operations = {
    keys,
    blobs,
    list: [...list, ["PEXPIRE", 4, "1"]],
  } as unknown as typeof batch.operations;
  const before = await on.digest();
  await on.apply(grant, { ...batch, operations }).catch(() => "refused");
  return (await on.digest()) === before;
};

const theBacklogIsBounded: Holds = async (on) => {
  const ann = new Hand("ann");
  const many = Array.from({ length: 600 }, () => ann.says("x"));
  await on.append(...many);
  return on.append(...many).then(
    () => false,
    () => true,
  );
};

const APPLY = "projectors/runtime/apply.lua";
const SCENES: readonly {
  readonly check: string;
  readonly property: Holds;
  readonly change: readonly [file: string, find: string, replacement: string];
}[] = [
  {
    check: "fence",
    property: aZombieChangesNothing,
    change: [APPLY, "if fence ~= ARGV[1] then", "if false then"],
  },
  {
    check: "fence is text, not a number",
    property: oneTokenIsNotOneFence,
    change: ["projectors/runtime/acquire.lua", "token .. ':' .. ARGV[1]", "token .. ''"],
  },
  {
    check: "checkpoint compare: already applied",
    property: aBatchAppliedTwiceIsKnownAgain,
    change: [APPLY, "if at == ARGV[6] then", "if false then"],
  },
  {
    check: "checkpoint compare: stale",
    property: aBatchFromElsewhereChangesNothing,
    change: [APPLY, "if at ~= ARGV[4] then", "if false then"],
  },
  {
    check: "id compare",
    property: nothingIsSkippedWhenTheGroupWasMoved,
    change: [
      APPLY,
      "if #entries ~= count or first ~= ARGV[5] or last ~= ARGV[6] then",
      "if false then",
    ],
  },
  {
    check: "truncation",
    property: aCutLogIsNoticed,
    change: [APPLY, "if missing > 0 then", "if false then"],
  },
  {
    check: "closed set of operations",
    property: nothingIsWrittenBeforeAllIsChecked,
    change: [APPLY, "if not ALLOWED[op[1]] then", "if false then"],
  },
  {
    check: "limit of the backlog",
    property: theBacklogIsBounded,
    change: [
      "ingest/append.lua",
      "if appended - applied + commands > tonumber(ARGV[2]) then",
      "if false then",
    ],
  },
];

describe("without the check of the", () => {
  it.each(SCENES)("[OP56] $check, its property fails", async ({ property, change }) => {
    expect(await property(scene.with(await partsOf(compiled)))).toBe(true);
    await scene.redis.flushall();
    const mutant = compiled.mutant(...change);
    try {
      expect(await property(scene.with(await partsOf(mutant)))).toBe(false);
    } finally {
      mutant.remove();
    }
  });
});

async function partsOf(engine: Compiled): Promise<Parts> {
  return {
    scripts: await engine.load<typeof ScriptsModule>("projectors/runtime/scripts.js"),
    fold: await engine.load<typeof FoldModule>("projectors/runtime/fold.js"),
    state: await engine.load<typeof StateModule>("projectors/runtime/partition-state.js"),
    ingest: await engine.load<typeof IngestModule>("ingest/ingest.js"),
  };
}

const STORM = { seed: 5, ms: 2_000, restMs: 3_000 } as const;
const STORMS: readonly {
  readonly check: string;
  readonly property: Property;
  readonly change: readonly [file: string, find: string, replacement: string];
}[] = [
  {
    check: "device window",
    property: "a command takes effect once",
    change: ["projectors/runtime/fold.js", "if (copy !== null) {", "if (false) {"],
  },
  {
    check: "previous id",
    property: "previous ids chain",
    change: ["projectors/runtime/fold.js", "const prev = room.headId;", 'const prev = "0-0";'],
  },
  {
    check: "unknown outcome of an append",
    property: "accepted commands are in the log",
    change: [
      "ingest/ingest.js",
      "const reply = replies?.[i];",
      'const reply = replies === null ? { outcome: "appended" } : replies[i];',
    ],
  },
  {
    check: "order of what waits",
    property: "commands of a device take effect in its order",
    change: [
      "ingest/ingest.js",
      "lane.queue.push({ logged, sender });",
      "lane.queue.unshift({ logged, sender });",
    ],
  },
  {
    check: "gate at a command's place in the order",
    property: "a conversation is the log of its room, decided in order",
    change: [
      "domain/gate.js",
      'return standing.kind === "public" || standing.role !== null;',
      "return true;",
    ],
  },
];

describe("a storm over an engine without the", () => {
  it.each(STORMS)("[OP56] $check is seen", async ({ property, change }) => {
    const mutant = compiled.mutant(...change);
    try {
      const engine: Engine = {
        Ingest: (await mutant.load<typeof IngestModule>("ingest/ingest.js")).Ingest,
        startProjector: (await mutant.load<typeof WorkerModule>("projectors/worker.js"))
          .startProjector,
      };
      const { violations } = await Storm.rage(engine, STORM);
      expect(violations.map((violation) => violation.property)).toContain(property);
    } finally {
      mutant.remove();
    }
  });
});
