/** The chat client for browsers and Node. See docs/client-protocol.md for what it speaks. */
export { ChatClient, type ClientEvents, type ClientOptions } from "./client.ts";
export { ClientError, describeError, type ClientErrorCode } from "./client-error.ts";
export type { ConnectionState, Drop } from "./connection.ts";
export { memoryDevice, storedDevice, type DeviceStore, type StringStorage } from "./device.ts";
export type { Clock } from "./agenda.ts";
export type { HistoryPage, HistoryQuery, ListedRoom, RoomInfo } from "./http.ts";
export type { Outcome } from "./outbox.ts";
export type { PendingMessage, PendingState, Room } from "./room.ts";
export type { SocketConstructor, SocketLike } from "./socket.ts";
export type { FollowFrom, FollowOptions, SubscriptionState } from "./subscription.ts";
export type { Cursor } from "../protocol/cursor.ts";
export type { AckLevel, ChatEvent, ClientCommand, Entry, RoomKind } from "../protocol/frames.ts";
export type { CommandNumber, DeviceId, Epoch, RoomId, Seq, UserId } from "../protocol/ids.ts";
export { LIMITS } from "../protocol/limits.ts";
