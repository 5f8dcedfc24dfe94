/** What the generator is told and what it answers, over the channel to its parent. */

export interface EngineTarget {
  readonly kind: "engine";
  /** Of the edges; the members of a room are spread over all of them. */
  readonly addresses: readonly string[];
  /** Signs the tokens of the users that are made up. */
  readonly secret: string;
  readonly audience: string;
}

/** What the engine is measured beside. */
export const PEER_KINDS = ["socket-io", "pub-sub", "centrifugo"] as const;
export type PeerKind = (typeof PEER_KINDS)[number];

export type Target =
  | EngineTarget
  | { readonly kind: "floor" | PeerKind; readonly addresses: readonly string[] };

export interface Plan {
  readonly target: Target;
  readonly rooms: number;
  /** Each with a user, a device and a socket of its own. */
  readonly membersPerRoom: number;
  /** Further rooms that one socket each follows and nobody writes to. */
  readonly quietRooms: number;
  /** All senders together; 0 only connects. */
  readonly messagesPerSec: number;
  /**
   * Makes the loop a closed one: each socket has so many messages under way, at most
   * LIMITS.commandsInFlight, and `messagesPerSec` is only what is made room for.
   */
  readonly inFlight?: number;
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
  /** Deliveries in another order than at the room's first member; looked at where there are no seqs. */
  readonly disagreed: number;
  /** Commands that the server put off or refused. */
  readonly refused: number;
  /** Sockets that the server closed. */
  readonly closed: number;
  /** Something still arrived when the time for the last messages was over. */
  readonly unfinished: boolean;
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
  /**
   * From the intended time of the send to the arrival at each receiver, within the
   * window; in a closed loop from the send to the arrival at the sender.
   */
  readonly latencyMs: Percentiles;
  /** How late the generator itself sent: part of every latency above, 0 in a closed loop. */
  readonly latenessMs: Percentiles;
  /** Of the generator, as a share of one core. */
  readonly cpuShare: number;
  /** WebSocket messages that brought the entries; an edge joins what came in one tick. */
  readonly frames: number;
}
