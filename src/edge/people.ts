/** What an edge has for people in rooms, beside their messages: presence, positions, typing, lists. */
import type { Ingest } from "../ingest/ingest.ts";
import type { Log } from "../ops/log.ts";
import type { RoomId, UserId } from "../protocol/ids.ts";
import type { Bell } from "../streams/bell.ts";
import type { Keys } from "../streams/keys.ts";
import type { PartitionId } from "../streams/partitions.ts";
import type { EdgeTally } from "./edge-tally.ts";
import type { Links } from "./links.ts";
import { ListDoubts, type Doubter } from "./list-doubts.ts";
import { OwnCounts } from "./own-counts.ts";
import { PRESENCE_TIMES, type PresenceTimes } from "./presence-partition.ts";
import { PresenceViews } from "./presence-views.ts";
import { Presence } from "./presence.ts";
import { Readings } from "./readings.ts";
import { Receipts } from "./receipts.ts";
import type { RoomList } from "./room-list.ts";
import { RoomNews } from "./room-news.ts";
import type { SocketServer } from "./sockets/socket-port.ts";
import { Typing } from "./typing.ts";
import type { UserDevices } from "./user-devices.ts";

export interface PeopleOptions {
  readonly edge: string;
  readonly keys: Keys;
  readonly links: Links;
  readonly ingest: Ingest;
  readonly devices: UserDevices;
  /** All of this edge. */
  readonly connections: () => Iterable<Doubter>;
  readonly rooms: RoomList;
  readonly publish: SocketServer["publish"];
  readonly tally: EdgeTally;
  /** Other than PRESENCE_TIMES. */
  readonly times: PresenceTimes | undefined;
  readonly log: Log;
}

export class People {
  readonly presence: Presence;
  readonly views: PresenceViews;
  readonly typing: Typing;
  readonly readings: Readings;
  readonly receipts: Receipts;
  readonly #ownCounts: OwnCounts;
  readonly #roomNews: RoomNews;
  readonly #listDoubts: ListDoubts;

  constructor(options: PeopleOptions) {
    const { edge, keys, links, ingest, devices, rooms, publish, tally, log } = options;
    const { redis } = links;
    const times = options.times ?? PRESENCE_TIMES;
    this.presence = new Presence({ redis, keys, ingest, edge, times, log });
    this.views = new PresenceViews({ redis, keys, publish, tally, log });
    this.typing = new Typing({
      publish: (message) => redis.publish(keys.typing(), message),
      audience: (room) => this.views.audience(room),
      tally,
      log,
    });
    this.readings = new Readings(ingest, keys);
    this.receipts = new Receipts({ rooms, audiences: this.views, publish, tally, log });
    this.#ownCounts = new OwnCounts({ rooms, devices, tally, log });
    this.#roomNews = new RoomNews(devices, log);
    this.#listDoubts = new ListDoubts(options.connections);
    links.news.onMessage = (channel, message) => {
      if (channel === keys.typing()) this.typing.heard(message);
      else this.#roomNews.hear(message);
    };
  }

  /** Bells in the order of their partition. */
  hear(bell: Bell): void {
    this.views.hear(bell);
    this.receipts.hear(bell);
    this.#ownCounts.hear(bell);
  }

  /** Bells of a partition, or of all, were missed. */
  missed(partition: PartitionId | null): void {
    this.views.missed(partition);
    this.receipts.missed(partition);
    this.#listDoubts.missed();
  }

  /** A membership has ended, and every session of the user was told. */
  left(room: RoomId, user: UserId): void {
    this.presence.doubt(room, user);
    this.typing.stopped(room, user);
  }

  stop(): void {
    this.presence.stop();
    this.views.stop();
    this.typing.stop();
    this.readings.stop();
    this.receipts.stop();
    this.#ownCounts.stop();
    this.#roomNews.stop();
    this.#listDoubts.stop();
  }
}
