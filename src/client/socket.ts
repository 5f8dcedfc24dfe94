/**
 * The part of a WebSocket that the client uses, so that the browser's own and
 * the one of `ws` both fit. They type their events differently, so an event
 * is any object here, and the listener says which.
 */
export interface SocketLike {
  binaryType: string;
  addEventListener(
    type: "open" | "message" | "close" | "error",
    listener: (event: object) => void,
  ): void;
  send(data: Uint8Array<ArrayBuffer> | string): void;
  close(code?: number, reason?: string): void;
  /** Only in `ws`: drops the connection without waiting for a close frame. */
  terminate?(): void;
}
export type SocketConstructor = new (url: string, protocols: string[]) => SocketLike;

export interface MessageEventLike {
  readonly data: unknown;
}
export interface CloseEventLike {
  readonly code: number;
  readonly reason: string;
}
