/**
 * The settings that are fixed when a deployment is created. Every process
 * compares its own against them and refuses to start on a difference, because a
 * room in the wrong partition would be a second room of that name.
 */
import type { Epoch } from "../protocol/ids.ts";
import type { Redis } from "../redis/connect.ts";
import type { Keys } from "./keys.ts";
import { LAYOUT_VERSION } from "./partitions.ts";

export class DeploymentMismatchError extends Error {
  override readonly name = "DeploymentMismatchError";
}

const FIRST_EPOCH = 1;

export interface Deployment {
  readonly epoch: Epoch;
}

/** Creates the record when there is none. */
export async function openDeployment(redis: Redis, keys: Keys): Promise<Deployment> {
  const key = keys.config();
  const own = { layout: String(LAYOUT_VERSION), partitions: String(keys.partitions) };
  for (const [field, value] of Object.entries(own)) await redis.hsetnx(key, field, value);
  await redis.hsetnx(key, "epoch", FIRST_EPOCH);
  const stored = await redis.hgetall(key);
  if (stored["layout"] !== own.layout) {
    throw new DeploymentMismatchError(
      `this Redis holds layout ${stored["layout"]}, and this version of Millrace reads and writes only layout ${own.layout}: use the version that made it, or begin with an empty Redis`,
    );
  }
  if (stored["partitions"] !== own.partitions) {
    throw new DeploymentMismatchError(
      `this deployment was created with PARTITIONS=${stored["partitions"]}, not ${own.partitions}: the number is fixed at creation`,
    );
  }
  return { epoch: Number(stored["epoch"]) as Epoch };
}
