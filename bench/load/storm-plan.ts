/** What the storm's process is told and what it answers, over the channel to its parent. */
import type { Completeness, EngineTarget, Percentiles } from "./plan.ts";

export interface StormPlan {
  readonly target: EngineTarget;
  readonly sockets: number;
  readonly roomsPerSocket: number;
  readonly rooms: number;
  /** Messages in each room while nobody is there. */
  readonly missedPerRoom: number;
}

/** Times count from the moment at which everybody is to reconnect. */
export interface StormReport {
  readonly completeness: Completeness;
  /** Rooms that were not continued where the socket stood. */
  readonly gaps: number;
  /** Sockets that were caught up when time was over. */
  readonly caughtUp: number;
  readonly openedMs: Percentiles;
  readonly welcomedMs: Percentiles;
  readonly caughtUpMs: Percentiles;
  /** Connections that ended before they had caught up, by code or reason: each is tried again. */
  readonly failures: Readonly<Record<string, number>>;
  /** Rooms that the edge could not read and that were asked for again. */
  readonly interrupted: number;
}

export type ToStorm =
  | { readonly type: "plan"; readonly plan: StormPlan }
  | { readonly type: "go" }
  | { readonly type: "finish" };
export type FromStorm =
  | { readonly type: "progress"; readonly text: string }
  /** Everybody is away and has missed what there is to be missed. */
  | { readonly type: "ready" }
  | { readonly type: "caughtUp" }
  | { readonly type: "done"; readonly report: StormReport };
