/**
 * Identifiers and numbers that must not be swapped for one another.
 *
 * A brand costs nothing at run time; the `parse` functions are the only way in
 * from untrusted input and say what they expect.
 */
declare const brand: unique symbol;
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** Who acts: the `sub` of a token. 1 to 64 characters, no control characters, any script. */
export type UserId = Brand<string, "UserId">;
/** One installation of a client; counts its own commands. Scoped by its user on the server. */
export type DeviceId = Brand<string, "DeviceId">;
/** The addressable entity that has members and one order. */
export type RoomId = Brand<string, "RoomId">;
/** Dense, per room, starts at 1: the only order that clients see. */
export type Seq = Brand<number, "Seq">;
/** Incarnation of a room's history; changes when it is rebuilt with a loss. */
export type Epoch = Brand<number, "Epoch">;
/** The number that a device gives to each of its commands, counting up from 1. */
export type CommandNumber = Brand<number, "CommandNumber">;

/** Room ids starting with this belong to direct rooms; nobody can create one by that name. */
export const DIRECT_ROOM_PREFIX = "dm.";

export const USER_ID = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,64}$/u;
export const DEVICE_ID = /^[A-Za-z0-9_-]{1,64}$/;
export const ROOM_ID = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,79}$/;
