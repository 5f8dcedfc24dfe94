/** Raised with every change to a frame; a test holds it against the hash of the schema. */
export const PROTOCOL_VERSION = 3;

/** WebSocket sub-protocols, in the server's order of preference. */
export const SUBPROTOCOL = {
  /** MessagePack, binary messages. */
  binary: `millrace.${PROTOCOL_VERSION}`,
  /** The same frames as JSON text, for people and for load tools. */
  json: `millrace.${PROTOCOL_VERSION}.json`,
} as const;
export type Encoding = keyof typeof SUBPROTOCOL;
