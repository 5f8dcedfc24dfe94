/** What the tail reader is told and what it answers, over the channel to its parent. */
import type { Percentiles } from "./plan.ts";

export type TailMode = "direct" | "bell";

export interface ReaderPlan {
  readonly redisUrl: string;
  readonly partitions: number;
  /** All of them are followed. */
  readonly rooms: number;
  readonly mode: TailMode;
}

export interface ReaderReport {
  readonly delivered: number;
  readonly doubled: number;
  readonly reordered: number;
  /** Blocking reads that returned, from the start to the end. */
  readonly reads: number;
  /** From the write to where an edge would publish. */
  readonly latencyMs: Percentiles;
}

export type ToReader =
  | { readonly type: "follow"; readonly plan: ReaderPlan }
  /** Everything is written: to be answered when as many have come, or do not come. */
  | { readonly type: "finish"; readonly written: number };
export type FromReader =
  | { readonly type: "following" }
  | { readonly type: "report"; readonly report: ReaderReport };
