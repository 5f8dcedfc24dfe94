/**
 * Every bound that a client can meet. Tests take them at the limit and one past
 * it; the protocol document is checked against this table.
 */
export const LIMITS = {
  /** Bytes of one frame from a client. */
  frameBytes: 16_384,
  /** Bytes of the first frame, before the server knows who speaks. */
  helloBytes: 4_096,
  /** Time from the open socket to `hello`. */
  helloMs: 5_000,
  /** UTF-8 bytes of a message's text after NFC. */
  textBytes: 8_192,
  /** Characters of a room's name. */
  roomNameChars: 80,
  /** Nesting of arrays and maps in a frame. */
  depth: 8,
  /** Rooms that one connection may follow. */
  roomsPerConnection: 1_000,
  /** Rooms that one is in and finds in the list of one's rooms; accepted invitations may be more. */
  roomsListed: 1_000,
  /** Invitations in it; with them and `roomsListed` the list is full. */
  invitationsListed: 100,
  /** Entries of one page of history or of one `resumed` frame. */
  pageEntries: 200,
  /** Bytes of entries in one `resumed` or `entries` frame; a single entry may exceed it. */
  pageBytes: 262_144,
  /** Rooms in one `resume` frame; fits the frame limit with the longest ids and cursors. */
  roomsPerResume: 100,
  /** Commands of one connection without an outcome; further ones get `deferred`. */
  commandsInFlight: 64,
  /** Newest commands of a device whose outcome is remembered; older ones count as duplicates. */
  deviceWindow: 128,
  /** Users that a message may mention by name; those who are no members do not count. */
  mentionsPerMessage: 50,
  /** Characters of a reaction: an emoji or a short name. */
  reactionChars: 16,
  /** Different reactions that one message may have. */
  reactionsPerMessage: 20,
  /** Users that a message shows for each of its reactions, the first ones; the count is exact. */
  reactorsShown: 10,
  /** Versions of a message that are kept, the newest ones. */
  versionsKept: 20,
  /** Messages pinned at once in a room. */
  pinsPerRoom: 50,
  /** Unread messages are counted up to here. */
  unreadCounted: 1_000,
  /** Unread messages that call a user are counted up to here. */
  mentionsCounted: 100,
  /** Newest replies of a thread that are looked at to tell how many are unread. */
  threadUnreadCounted: 100,
  /** People in a room up to which it tells lists of who is there and who has read: see isLargeRoom. */
  largeRoom: 500,
  /** Positions of a large room for which it is told how many have read so far, the furthest ones. */
  readersSteps: 50,
  /** Users in the sample of a large room. */
  presenceSample: 50,
  /** How long a sign of typing holds unless it is given again. */
  typingMs: 5_000,
  /** Users of one room that are shown typing at once. */
  typistsShown: 10,
  /** Bytes of a token in `hello`. */
  tokenBytes: 3_072,
} as const;

/**
 * Whether so many people (members, invited ones too) make a room a large one: it tells counts and a
 * sample of who is there and who has read, and no lists.
 */
export function isLargeRoom(people: number): boolean {
  return people > LIMITS.largeRoom;
}
