/**
 * Every refusal that a client can see. Codes are wire format: never renumber,
 * never reuse.
 *
 * A close code's range tells the client what to do next:
 *
 *   4000-4099  reconnect and resume from the cursors
 *   4100-4199  reconnect, but drop the cursors and fetch history first
 *   4400-4499  do not reconnect; a person or a new token has to act
 */
export const CLOSE = {
  draining: { code: 4000, reason: "this edge is draining, reconnect" },
  tooSlow: { code: 4001, reason: "the client reads too slowly" },
  idle: { code: 4002, reason: "nothing was heard of the client" },
  tokenExpired: { code: 4003, reason: "the token has expired, reconnect with a new one" },
  internal: { code: 4004, reason: "the edge failed, reconnect" },
  /** A busy machine on either side is late as well, so it is no reason to stay away. */
  helloTimeout: { code: 4005, reason: "no hello arrived in time, reconnect" },
  historyLost: { code: 4100, reason: "history was rebuilt, fetch it again" },
  badFrame: { code: 4400, reason: "the frame could not be read" },
  frameTooLarge: { code: 4401, reason: "the frame is too large" },
  helloExpected: { code: 4402, reason: "the first frame must be hello" },
  unauthorized: { code: 4404, reason: "the token or ticket was refused" },
  versionUnsupported: { code: 4405, reason: "this protocol version is not spoken here" },
} as const satisfies Record<string, { code: number; reason: string }>;
export type CloseName = keyof typeof CLOSE;

/** What a client should do after a close; codes below 4000 are the transport's own. */
export function afterClose(code: number): "resume" | "refetch" | "stop" {
  if (code >= 4400 && code <= 4499) return "stop";
  if (code >= 4100 && code <= 4199) return "refetch";
  return "resume";
}

/**
 * Codes in `error`, `rejected`, `deferred`, `unsubscribed` and HTTP bodies.
 * `http` is the status that carries the code over HTTP.
 */
export const ERRORS = {
  /** The one answer to a non-member, for every verb and for rooms that do not exist. */
  forbidden: { http: 403, message: "no such room, or it is not open to you" },
  /** A member asked for what only another role may do. */
  notAllowed: { http: 403, message: "your role in this room does not allow it" },
  roomExists: { http: 409, message: "the room exists already and you are in it" },
  invalid: { http: 400, message: "the value is not valid" },
  tooLarge: { http: 413, message: "the value is too large" },
  unauthorized: { http: 401, message: "the token or ticket was refused" },
  notFound: { http: 404, message: "there is nothing at this address" },
  tooManyRooms: { http: 429, message: "the connection follows too many rooms" },
  tooManyCommands: { http: 429, message: "too many commands await their outcome" },
  /** The partition's backlog is full: nothing was appended. */
  busy: { http: 503, message: "the engine is behind, send it again later" },
  /** The store cannot be reached: the command may or may not have been appended. */
  unavailable: { http: 503, message: "the engine cannot reach its store, send it again later" },
  /** The command could not be decided and was put aside as a dead letter. */
  internal: { http: 500, message: "the engine could not handle this" },
  /** The message was deleted, is older than the history kept, or never was. */
  noSuchMessage: { http: 404, message: "there is no such message, or no longer" },
  /** One more would be past a limit of the room or of the message. */
  tooMany: { http: 409, message: "there are as many as are allowed already" },
} as const satisfies Record<string, { http: number; message: string }>;
export type ErrorCode = keyof typeof ERRORS;
/** In wire order of the table: device windows store the index, so codes are only ever appended. */
export const ERROR_CODES = Object.keys(ERRORS) as ErrorCode[];
