/** Every scenario, in the order in which all of them run. */
import { arrival } from "./arrival.ts";
import { closed } from "./closed.ts";
import { cuts } from "./cuts.ts";
import { idle } from "./idle.ts";
import { largeRoom } from "./large-room.ts";
import { limit } from "./limit.ts";
import { memory } from "./memory.ts";
import { pace } from "./pace.ts";
import { people } from "./people.ts";
import { projector } from "./projector.ts";
import { rates } from "./rates.ts";
import { rooms } from "./rooms.ts";
import { scale } from "./scale.ts";
import { storm } from "./storm.ts";
import { tailCurve } from "./tail-curve.ts";
import { takeover } from "./takeover.ts";
import type { Scenario } from "./scenario.ts";

export const SCENARIOS: readonly Scenario[] = [
  rates,
  pace,
  closed,
  limit,
  largeRoom,
  storm,
  cuts,
  idle,
  projector,
  rooms,
  tailCurve,
  scale,
  takeover,
  memory,
  people,
  arrival,
];
