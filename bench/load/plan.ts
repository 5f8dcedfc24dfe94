/** What the generator is told and what it answers, over the channel to its parent. */

export type Target =
  | {
      readonly kind: "engine";
      /** Of the edges; the members of a room are spread over all of them. */
      readonly addresses: readonly string[];
      /** Signs the tokens of the users that are made up. */
      readonly secret: string;
      readonly audience: string;
    }
  | { readonly kind: "floor"; readonly addresses: readonly string[] };

export interface Plan {
  readonly target: Target;
  readonly rooms: number;
  /** Each with a user, a device and a socket of its own. */
  readonly membersPerRoom: number;
  /** Further rooms that one socket each follows and nobody writes to. */
  readonly quietRooms: number;
  /** All senders together; 0 only connects. */
  readonly messagesPerSec: number;
  readonly warmUpSec: number;
  readonly measureSec: number;
}

export type ToGenerator = { readonly type: "plan"; readonly plan: Plan } | { readonly type: "go" };
export type FromGenerator =
  | { readonly type: "connected" }
  | { readonly type: "measuring" }
  | { readonly type: "measured" }
  | { readonly type: "progress"; readonly sent: number; readonly delivered: number }
  | { readonly type: "done"; readonly report: LoadReport };

/** Over the whole run, warm-up included. */
export interface Completeness {
  readonly sent: number;
  /** To every member of the room, the sender included. */
  readonly delivered: number;
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  /** Commands that the engine put off or refused. */
  readonly refused: number;
}

export interface Percentiles {
  readonly samples: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface LoadReport {
  readonly completeness: Completeness;
  /** Messages whose intended time lies in the measured window. */
  readonly messages: number;
  /** From the intended time of the send to the arrival at each receiver, within the window. */
  readonly latencyMs: Percentiles;
  /** How late the generator itself sent: part of every latency above. */
  readonly latenessMs: Percentiles;
  /** Of the generator, as a share of one core. */
  readonly cpuShare: number;
  /** WebSocket messages that brought the entries; an edge joins what came in one tick. */
  readonly frames: number;
}
