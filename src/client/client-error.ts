import { ERRORS, type ErrorCode } from "../protocol/errors.ts";

/** Refusals that the client itself gives; the others come from the server (protocol/errors.ts). */
export const LOCAL_ERRORS = {
  closed: "the client was closed",
  stopped: "the server closed the connection for good",
  outboxFull: "too many commands wait to be sent",
  unreachable: "the server cannot be reached",
  badReply: "the server's reply could not be read",
  historyChanged: "the room's history was rebuilt; try again after its reset",
} as const satisfies Record<string, string>;
export type LocalErrorCode = keyof typeof LOCAL_ERRORS;
export type ClientErrorCode = ErrorCode | LocalErrorCode;

/** What every promise of the SDK rejects with. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly code: ClientErrorCode;

  constructor(code: ClientErrorCode, message?: string, options?: ErrorOptions) {
    super(message ?? describeError(code), options);
    this.code = code;
  }
}

/** A sentence for people. */
export function describeError(code: ClientErrorCode): string {
  return code in LOCAL_ERRORS
    ? LOCAL_ERRORS[code as LocalErrorCode]
    : ERRORS[code as ErrorCode].message;
}

/** For promises that nobody has to await, because a failure shows in events as well. */
export function mayIgnore<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
