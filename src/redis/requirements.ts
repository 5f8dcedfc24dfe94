/**
 * What the engine needs of the Redis it is given. A server that would lose or
 * drop what it promised to keep is refused at start, with what to change.
 */
import type { AckLevel } from "../protocol/frames.ts";
import type { Log } from "../ops/log.ts";
import type { Redis } from "./connect.ts";
import { array, asText, isRefusal } from "./replies.ts";

export class UnfitRedisError extends Error {
  override readonly name = "UnfitRedisError";
}

interface Requirement {
  readonly setting: string;
  readonly fits: (value: string) => boolean;
  readonly wanted: string;
  readonly why: string;
  /** Costs memory, not messages: said, not refused. */
  readonly advice?: boolean;
}

/** One node-max-bytes for every stream: a room's first message then costs 1.3 KB and not 4.3. */
const STREAM_NODE_BYTES = 1_024;
const MAJOR_VERSION = 7;

function requirements(ack: AckLevel): readonly Requirement[] {
  const fsync = ack === "disk" ? ["always"] : ["always", "everysec"];
  return [
    {
      setting: "maxmemory-policy",
      fits: (value) => value === "noeviction",
      wanted: "noeviction",
      why: "any other policy deletes messages when memory runs short",
    },
    {
      setting: "appendonly",
      fits: (value) => value === "yes",
      wanted: "yes",
      why: "without the append-only file a restart forgets acknowledged messages",
    },
    {
      setting: "appendfsync",
      fits: (value) => fsync.includes(value),
      wanted: fsync.join(" or "),
      why: `the ack level "${ack}" promises it`,
    },
    {
      setting: "stream-node-max-bytes",
      fits: (value) => Number(value) > 0 && Number(value) <= 2 * STREAM_NODE_BYTES,
      wanted: String(STREAM_NODE_BYTES),
      why: "a room's first message takes 4.3 KB otherwise",
      advice: true,
    },
  ];
}

/** Throws UnfitRedisError naming every setting that does not fit. */
export async function checkRedis(redis: Redis, ack: AckLevel, log: Log): Promise<void> {
  const version = /redis_version:(\d+)/.exec(await redis.info("server"))?.[1];
  if (Number(version) < MAJOR_VERSION) {
    throw new UnfitRedisError(`Redis ${MAJOR_VERSION}.0 or later is needed, this is ${version}`);
  }
  const unfit: string[] = [];
  for (const requirement of requirements(ack)) {
    const value = await setting(redis, requirement.setting);
    if (value === null) {
      log.warn({ setting: requirement.setting }, "the server does not let its settings be read");
      continue;
    }
    if (requirement.fits(value)) continue;
    const { setting: name, wanted, why } = requirement;
    const sentence = `${name} is ${value}, needed is ${wanted}: ${why}`;
    if (requirement.advice) log.warn(sentence);
    else unfit.push(sentence);
  }
  if (unfit.length > 0) {
    throw new UnfitRedisError(`this Redis is not fit:\n  ${unfit.join("\n  ")}`);
  }
}

/** Null where CONFIG is not permitted, as on many hosted servers. */
async function setting(redis: Redis, name: string): Promise<string | null> {
  try {
    const [, value] = array(await redis.call("CONFIG", "GET", name));
    return value === undefined ? null : asText(value);
  } catch (error) {
    if (isRefusal(error)) return null;
    throw error;
  }
}
