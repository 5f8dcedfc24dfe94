/** Which charts there are, each from the newest result that has its figures. */
import { isRecord, numberAt, type Result, type Results } from "../results.ts";
import type { Axis, Colour, Figure, Series } from "./chart.ts";

type Point = readonly [x: number, y: number];
type Draw = (result: Result) => Omit<Figure, "name" | "source">;

const LOAD: Axis = { label: "messages a second (each to four receivers)", scale: "log" };
const LATENCY = { label: "from due to arrived, ms", scale: "log" } as const;
const COST = { label: "CPU µs a message, all server processes", scale: "log" } as const;
const ROOMS: Axis = { label: "rooms followed by one edge", scale: "log" };

/** What is compared in `rates`, by the name of its field. */
type System = readonly [field: string, name: string, colour: Colour];
const ENGINE: System = ["engine", "Millrace", "blue"];
const FLOOR: System = ["floor", "floor: bare sockets, no history", "grey"];
const PEERS: readonly System[] = [
  ["socketIo", "Socket.IO + streams adapter", "orange"],
  ["pubSub", "plain Redis pub/sub", "purple"],
  ["centrifugo", "Centrifugo", "green"],
];
const SYSTEMS = [ENGINE, FLOOR, ...PEERS];

const FIGURES: readonly { name: string; scenario: string; draw: Draw }[] = [
  { name: "latency-over-load", scenario: "rates", draw: latencyOverLoad },
  { name: "latency-of-peers", scenario: "rates", draw: latencyOfPeers },
  { name: "cpu-over-load", scenario: "rates", draw: cpuOverLoad },
  { name: "cpu-by-role", scenario: "rates", draw: cpuByRole },
  { name: "cpu-over-rooms", scenario: "rooms", draw: cpuOverRooms },
  { name: "pace-over-load", scenario: "pace", draw: paceOverLoad },
  { name: "xread-curve", scenario: "tail-curve", draw: xreadCurve },
  { name: "projectors", scenario: "scale", draw: projectors },
  { name: "storm", scenario: "storm", draw: storm },
];

/** Those for which there are points; a result with losses is none. */
export function figuresOf(results: Results): Figure[] {
  return FIGURES.flatMap(({ name, scenario, draw }) => {
    const result = results.get(scenario);
    if (!result || result.faults.length > 0) return [];
    const drawn = draw(result);
    const series = drawn.series.filter(({ points }) => points.length > 0);
    return series.length === 0 ? [] : [{ ...drawn, series, name, source: sourceOf(result) }];
  });
}

function sourceOf({ file, startedAt, machine, commit }: Result): string {
  const { cores, cpu } = machine;
  return `bench/results/${file} · ${startedAt.slice(0, 10)} · ${cores} cores of ${cpu}, generator on the same · ${commit}`;
}

/** Points of all cases that have both numbers, in the order of x. On log axes there is no zero. */
function points(
  cases: readonly unknown[],
  x: (each: unknown) => number,
  y: (each: unknown) => number,
): Point[] {
  return cases
    .map((each): Point => [x(each), y(each)])
    .filter(([a, b]) => a > 0 && b > 0)
    .sort(([a], [b]) => a - b);
}
const rate = (each: unknown): number => numberAt(each, "messagesPerSec");

/** What was past its limit has latencies of another load: it is left out. */
function held(each: unknown, system: string): boolean {
  return isRecord(each) && numberAt(each[system], "report", "completeness", "refused") === 0;
}

function latencies(result: Result, [field, name, colour]: System): Series[] {
  const cases = result.cases.filter((each) => held(each, field));
  const of = (percentile: string): Point[] =>
    points(cases, rate, (each) => numberAt(each, field, "report", "latencyMs", percentile));
  return [
    { name: `${name}, p50`, colour, points: of("p50") },
    { name: `${name}, p99`, colour, dashed: true, points: of("p99") },
  ];
}

function latencyOverLoad(result: Result): ReturnType<Draw> {
  return {
    title: "Latency over load",
    subtitle: "from the time at which a message was due to its arrival at each receiver",
    x: LOAD,
    y: LATENCY,
    series: [...latencies(result, ENGINE), ...latencies(result, ["floor", "floor", "grey"])],
  };
}

function latencyOfPeers(result: Result): ReturnType<Draw> {
  const others = PEERS.flatMap((system) => latencies(result, system));
  const series = SYSTEMS.flatMap(([field, name, colour]) => {
    const found = latencies(result, [field, name, colour]).find(({ dashed }) => dashed);
    return found ? [{ name, colour, points: found.points }] : [];
  });
  return {
    title: "Latency over load, beside others",
    subtitle: "99 of 100 deliveries were faster; the same traffic, run and machine",
    x: LOAD,
    y: { ...LATENCY, label: "p99 from due to arrived, ms" },
    // Without others it would be the picture before it again.
    series: others.some(({ points: some }) => some.length > 0) ? series : [],
  };
}

function cpuOverLoad(result: Result): ReturnType<Draw> {
  return {
    title: "CPU a message over load",
    subtitle: "user and system time of Redis and all servers, by the kernel's accounting",
    x: LOAD,
    y: COST,
    series: SYSTEMS.map(([field, name, colour]) => ({
      name,
      colour,
      points: points(
        result.cases.filter((each) => held(each, field)),
        rate,
        (each) => numberAt(each, field, "cpuUsPerMessage"),
      ),
    })),
  };
}

function cpuByRole(result: Result): ReturnType<Draw> {
  const roles = [
    ["redis", "Redis", "red"],
    ["edge", "two edges", "blue"],
    ["projector", "one projector", "green"],
  ] as const;
  return {
    title: "Where the CPU of a message goes",
    subtitle: "the engine, role by role; waking up is shared by more messages as the load grows",
    x: LOAD,
    y: { ...COST, label: "CPU µs a message" },
    series: roles.map(([role, name, colour]) => ({
      name,
      colour,
      points: points(result.cases, rate, (each) => costOfRole(each, "engine", role)),
    })),
  };
}

function costOfRole(each: unknown, field: string, role: string): number {
  const measured = isRecord(each) ? each[field] : undefined;
  const processes = isRecord(measured) ? measured["processes"] : undefined;
  if (!Array.isArray(processes)) return Number.NaN;
  return processes
    .filter((process) => isRecord(process) && String(process["name"]).startsWith(role))
    .reduce<number>((sum, process) => sum + numberAt(process, "cpuUsPerMessage"), 0);
}

function byMode(result: Result, mode: string, y: (each: unknown) => number): Point[] {
  const cases = result.cases.filter((each) => isRecord(each) && each["mode"] === mode);
  return points(cases, (each) => numberAt(each, "rooms"), y);
}

function cpuOverRooms(result: Result): ReturnType<Draw> {
  const cost = (each: unknown): number => numberAt(each, "measured", "cpuUsPerMessage");
  return {
    title: "CPU a message over rooms",
    subtitle: "the same traffic in 100 rooms; all other rooms are followed and quiet",
    x: ROOMS,
    y: { ...COST, scale: "linear" },
    series: [
      {
        name: "direct: XREAD of every room",
        colour: "orange",
        points: byMode(result, "direct", cost),
      },
      {
        name: "bell: XREAD of the partitions' bells",
        colour: "blue",
        points: byMode(result, "bell", cost),
      },
    ],
  };
}

function paceOverLoad(result: Result): ReturnType<Draw> {
  const rest =
    (role: string) =>
    (each: unknown): number => {
      const rests =
        isRecord(each) && Array.isArray(each["rests"]) ? (each["rests"] as unknown[]) : [];
      const of = rests.filter((found) => isRecord(found) && String(found["name"]).startsWith(role));
      return of.reduce<number>((sum, found) => sum + numberAt(found, "restMs"), 0) / of.length;
    };
  // A rest of nothing is what an idle engine has, and a linear axis can show it.
  const all = (y: (each: unknown) => number): Point[] =>
    result.cases
      .map((each): Point => [rate(each), y(each)])
      .filter(([a, b]) => a > 0 && b >= 0)
      .sort(([a], [b]) => a - b);
  return {
    title: "Pace over load",
    subtitle: "how long a loop rests between two ticks: not at all when there is little to do",
    x: LOAD,
    y: { label: "rest between ticks and latency, ms", scale: "linear" },
    series: [
      { name: "rest of an edge", colour: "blue", points: all(rest("edge")) },
      { name: "rest of the projector", colour: "green", points: all(rest("projector")) },
      {
        name: "latency, p50",
        colour: "grey",
        dashed: true,
        points: all((each) => numberAt(each, "measured", "report", "latencyMs", "p50")),
      },
    ],
  };
}

function xreadCurve(result: Result): ReturnType<Draw> {
  const cost = (each: unknown): number => numberAt(each, "redisUsPerMessage");
  const whole = result.cases.filter((each) => numberAt(each, "lost") === 0);
  const clean = { ...result, cases: whole };
  return {
    title: "What following rooms costs Redis",
    subtitle: "CPU of redis-server a message, with one reader that blocks on so many rooms",
    x: { ...ROOMS, label: "rooms followed by one reader" },
    y: { label: "Redis CPU µs a message", scale: "log" },
    series: [
      {
        name: "direct: XREAD BLOCK over the rooms",
        colour: "orange",
        points: byMode(clean, "direct", cost),
      },
      {
        name: "bell: XREAD BLOCK over the bells",
        colour: "blue",
        points: byMode(clean, "bell", cost),
      },
    ],
  };
}

function projectors(result: Result): ReturnType<Draw> {
  const counts = sorted(result, "projectors");
  const rates = sorted(result, "messagesPerSec");
  const colours = ["blue", "orange", "green", "purple"] as const;
  return {
    title: "CPU a message over projectors",
    subtitle: "the same traffic; 16 partitions are shared by more and more workers",
    x: { label: "projectors", scale: "category" },
    y: { ...COST, scale: "linear" },
    categories: counts.map(String),
    series: rates.map((each, i) => ({
      name: `${each} messages a second`,
      colour: colours[i % colours.length] as Colour,
      points: result.cases
        .filter((found) => rate(found) === each)
        .map((found): Point => [
          counts.indexOf(numberAt(found, "projectors")),
          numberAt(found, "measured", "cpuUsPerMessage"),
        ])
        .sort(([a], [b]) => a - b),
    })),
  };
}

function sorted(result: Result, field: string): number[] {
  const values = result.cases.map((each) => numberAt(each, field)).filter((value) => value > 0);
  return [...new Set(values)].sort((a, b) => a - b);
}

function storm(result: Result): ReturnType<Draw> {
  const [only] = result.cases;
  const report = isRecord(only) ? only["report"] : undefined;
  const share = [
    ["p50", 50],
    ["p99", 99],
    ["p999", 99.9],
    ["max", 100],
  ] as const;
  const curve = (field: string): Point[] => {
    const times = share.map(([name, percent]): Point => [
      numberAt(report, field, name) / 1_000,
      percent,
    ]);
    return [[0, 0] as Point, ...times].filter(([sec]) => sec >= 0);
  };
  const series: Series[] = [
    { name: "connected", colour: "grey", points: curve("openedMs") },
    {
      name: "caught up with everything that was missed",
      colour: "blue",
      points: curve("caughtUpMs"),
    },
  ];
  return {
    title: "A reconnect storm",
    subtitle: result.about,
    x: { label: "seconds since all sockets began to reconnect", scale: "linear" },
    y: { label: "sockets, %", scale: "linear" },
    series: series.filter((each) => each.points.length > 1),
  };
}
