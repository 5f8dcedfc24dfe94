/**
 * The part of an edge that learns of new entries, in a process of its own: the
 * engine's tail sources over a blocking read, without sockets and without rest,
 * so that every entry is a wake-up. What it would publish is checked.
 */
import { BellSource, DirectSource } from "../../src/edge/tail-source.ts";
import { Bells } from "../../src/edge/bells.ts";
import { RoomTails } from "../../src/edge/room-tails.ts";
import { createLog } from "../../src/ops/log.ts";
import type { Epoch } from "../../src/protocol/ids.ts";
import { connectForCommands } from "../../src/redis/connect.ts";
import { BlockingReader } from "../../src/redis/streams-reader.ts";
import { Keys } from "../../src/streams/keys.ts";
import { TailLedger } from "./tail-ledger.ts";
import type { FromReader, ReaderPlan, ReaderReport, ToReader } from "./tail-plan.ts";
import { FIRST, tailedRoom } from "./tail-writer.ts";

const EPOCH = 1 as Epoch;
/** As the edge reads. */
const READ_COUNT = 200;
const BLOCK_MS = 5_000;
/** How long the last entries may take; what has not come by then is lost. */
const DRAIN_MS_MAX = 15_000;
const DRAIN_POLL_MS = 10;
/** After everything has come once: for copies that come later. */
const LINGER_MS = 200;

function tell(message: FromReader): void {
  process.send?.(message);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function follow(plan: ReaderPlan, written: Promise<number>): Promise<ReaderReport> {
  const { redisUrl: url, partitions, rooms, mode } = plan;
  const log = createLog({ level: "warn", format: "pretty", name: "tail-reader" });
  const redis = await connectForCommands({ url, name: "tail-reader", log });
  const blocking = await BlockingReader.connect({ url, name: "tail-reader read", log });
  const keys = new Keys(partitions);
  const published = new TailLedger(rooms);
  const tails = new RoomTails(keys, published);
  for (let r = 0; r < rooms; r++) tails.open(tailedRoom(r), EPOCH, FIRST);
  // Nothing was written since the first entries, so there is nothing to read first.
  tails.takeDirty(rooms);
  // What a lost bell hid is not looked for here: the report counts it as lost.
  const bells = new Bells(redis, keys, () => {});
  await bells.resolve();
  const Source = mode === "direct" ? DirectSource : BellSource;
  const source = new Source(tails, bells, () => {});
  let reads = 0;
  const done = new AbortController();
  const ending = written.then(async (count) => {
    const deadline = performance.now() + DRAIN_MS_MAX;
    while (published.delivered < count && performance.now() < deadline) await pause(DRAIN_POLL_MS);
    await pause(LINGER_MS);
    done.abort();
    await blocking.interrupt(redis);
  });
  tell({ type: "following" });
  while (!done.signal.aborted) {
    source.accept(await blocking.read(source.positions(), READ_COUNT, BLOCK_MS));
    reads++;
  }
  await ending;
  blocking.close();
  redis.disconnect();
  return { ...published.report(), reads };
}

async function heard<T extends ToReader["type"]>(type: T): Promise<ToReader & { type: T }> {
  return new Promise((resolve) => {
    process.on("message", (message: ToReader) => {
      if (message.type === type) resolve(message as ToReader & { type: T });
    });
  });
}

process.once("disconnect", () => process.exit(1));
const written = heard("finish").then((message) => message.written);
const { plan } = await heard("follow");
tell({ type: "report", report: await follow(plan, written) });
