/**
 * Topics and their messages. A payload was encoded once by the projector; here
 * the bytes of a turn are joined into one frame a room and handed to the socket
 * server, which sends them to every follower.
 */
import { joinEntries, transcodeToJson } from "../protocol/codec.ts";
import type { RoomId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import type { Encoding } from "../protocol/version.ts";
import type { Payload } from "../streams/conversation.ts";
import { bytesOf, type EdgeTally } from "./edge-tally.ts";
import type { RoomTail } from "./room-tails.ts";
import type { SocketServer } from "./sockets/socket-port.ts";

export function topicOf(room: RoomId, encoding: Encoding): string {
  return `${encoding === "binary" ? "b" : "j"}:${room}`;
}

/** Returns the bytes published, per receiver. */
export function publishEntries(
  server: Pick<SocketServer, "publish">,
  tail: RoomTail,
  payloads: readonly Payload[],
  tally: EdgeTally,
): number {
  let published = 0;
  const { binary, json } = tail.followers;
  tally.published(payloads.length, binary + json);
  for (const frame of framesOf(tail.room, payloads)) {
    published += frame.length;
    tally.publishedFrames++;
    if (binary > 0) {
      server.publish(topicOf(tail.room, "binary"), frame);
      tally.bytesSent.published += frame.length * binary;
    }
    if (json > 0) {
      const text = transcodeToJson(frame);
      server.publish(topicOf(tail.room, "json"), text);
      tally.bytesSent.published += bytesOf(text) * json;
    }
  }
  return published;
}

/** `entries` frames, binary, in order, each within its bounds; none for no payloads. */
export function* framesOf(room: RoomId, payloads: readonly Payload[]): Generator<Uint8Array> {
  for (const page of pagesOf(payloads)) if (page.length > 0) yield joinEntries(room, page);
}

function* pagesOf(payloads: readonly Payload[]): Generator<readonly Payload[]> {
  let start = 0;
  let bytes = 0;
  for (const [i, payload] of payloads.entries()) {
    bytes += payload.length;
    if (i > start && (bytes > LIMITS.pageBytes || i - start >= LIMITS.pageEntries)) {
      yield payloads.slice(start, i);
      start = i;
      bytes = payload.length;
    }
  }
  yield start === 0 ? payloads : payloads.slice(start);
}
