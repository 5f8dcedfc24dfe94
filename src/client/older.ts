/**
 * Older pages of a followed room, put in front of what is here of it. One request at a
 * time; a page that was asked for before the room's entries began anew is dropped,
 * because it continues entries that are not shown any more.
 */
import type { Entry } from "../protocol/frames.ts";
import type { Epoch } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import { ClientError } from "./client-error.ts";
import type { HistoryPage, HistoryQuery } from "./replies.ts";
import type { Older, Timeline } from "./timeline.ts";

/** Entries of an older page unless told otherwise. */
export const OLDER_PAGE_ENTRIES = 50;

export interface OlderHost {
  readonly timeline: Timeline;
  followed(): boolean;
  /** Of the entries that are here. */
  epoch(): Epoch | null;
  history(query: HistoryQuery): Promise<HistoryPage>;
  /** After the entries were put in front. */
  loaded(entries: readonly Entry[]): void;
}

export class OlderPages {
  readonly #host: OlderHost;
  #loading: { readonly beginning: number; readonly done: Promise<Older> } | null = null;

  constructor(host: OlderHost) {
    this.#host = host;
  }

  /** Whoever asks while a page is on its way gets that one. Rejects with ClientError. */
  load(limit = OLDER_PAGE_ENTRIES): Promise<Older> {
    const beginning = this.#host.timeline.beginnings;
    if (this.#loading?.beginning === beginning) return this.#loading.done;
    const loading = {
      beginning,
      done: this.#load(limit, beginning).finally(() => {
        if (this.#loading === loading) this.#loading = null;
      }),
    };
    this.#loading = loading;
    return loading.done;
  }

  async #load(limit: number, beginning: number): Promise<Older> {
    const { timeline } = this.#host;
    if (!Number.isInteger(limit) || limit < 1 || limit > LIMITS.pageEntries) {
      throw new ClientError("invalid", `limit: expected 1 to ${LIMITS.pageEntries}`);
    }
    const isKnown = this.#host.followed() && this.#host.epoch() !== null;
    const before = isKnown ? timeline.holdOlder() : null;
    if (before === null) throw new ClientError("invalid", "the room is not followed yet");
    if (timeline.older !== "more") return timeline.older;
    const page = await this.#host.history({ before, limit });
    if (timeline.beginnings !== beginning || !this.#host.followed()) return timeline.older;
    // The room will begin anew as soon as its reset has come; asked again before, it is the same.
    if (page.epoch !== this.#host.epoch()) throw new ClientError("historyChanged");
    const older = timeline.prepend(page);
    if (older.length > 0) this.#host.loaded(older);
    return timeline.older;
  }
}
