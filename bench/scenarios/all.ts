/** Every scenario, in the order in which all of them run. */
import { idle } from "./idle.ts";
import { people } from "./people.ts";
import { projector } from "./projector.ts";
import { rates } from "./rates.ts";
import { rooms } from "./rooms.ts";
import type { Scenario } from "./scenario.ts";

export const SCENARIOS: readonly Scenario[] = [rates, idle, projector, rooms, people];
