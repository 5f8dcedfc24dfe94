/** The chat client for browsers and Node. See docs/sdk.md, and docs/client-protocol.md for what it speaks. */
export { ChatClient, type ClientOptions } from "./client.ts";
export { ClientError, describeError, type ClientErrorCode } from "./client-error.ts";
export type { ClientEvents } from "./events.ts";
export type { ConnectionState, Drop } from "./connection.ts";
export { memoryDevice, storedDevice, type DeviceStore, type StringStorage } from "./device.ts";
export type { Clock } from "./agenda.ts";
export type { Fetch, ThreadQuery } from "./http.ts";
export type { ListChange, RoomList, RoomSummary } from "./list.ts";
export {
  asExpected,
  messagesOf,
  type ChangeCommand,
  type Message,
  type PendingChange,
  type Reaction,
} from "./message.ts";
export type { Outcome } from "./outbox.ts";
export type { PendingMessage, PendingState } from "./own-commands.ts";
export type { Presence } from "./presence.ts";
export type {
  HistoryPage,
  HistoryQuery,
  ListedRoom,
  MessageVersion,
  Pin,
  ReactorsPage,
  RoomInfo,
  ThreadPage,
} from "./replies.ts";
export type {
  CallOptions,
  MessageRef,
  ReceiptsOption,
  Room,
  RoomFollowOptions,
  SendOptions,
} from "./room.ts";
export type { Member } from "./room-details.ts";
export type { SocketConstructor, SocketLike } from "./socket.ts";
export { ENTRIES_HELD_MAX, type Older } from "./timeline.ts";
export type { FollowFrom, FollowOptions, SubscriptionState } from "./subscription.ts";
export type { Cursor } from "../protocol/cursor.ts";
export type { AckLevel, ChatEvent, ClientCommand, Entry, RoomKind } from "../protocol/frames.ts";
export type { CommandNumber, DeviceId, Epoch, RoomId, Seq, UserId } from "../protocol/ids.ts";
export { LIMITS } from "../protocol/limits.ts";
