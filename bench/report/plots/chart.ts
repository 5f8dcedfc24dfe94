/** One chart as SVG, readable on a white page and on a dark one: it brings its own background. */
import { init, type EChartsCoreOption } from "echarts";

export interface Axis {
  /** With its unit. */
  readonly label: string;
  readonly scale: "log" | "linear" | "category";
}

export interface Series {
  readonly name: string;
  readonly colour: Colour;
  /** A second figure of the same thing, such as the p99 beside the p50. */
  readonly dashed?: true;
  /** Of a category axis x is the index; points are in the order of x. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Figure {
  /** Of the file, without its ending. */
  readonly name: string;
  readonly title: string;
  readonly subtitle: string;
  readonly x: Axis;
  readonly y: Axis & { readonly scale: "log" | "linear" };
  readonly series: readonly Series[];
  /** Names along a category axis. */
  readonly categories?: readonly string[];
  /** Files and dates that the figures come from. */
  readonly source: string;
}

/** Told apart by people who do not see red and green as well. */
export const COLOURS = {
  blue: "#0969da",
  orange: "#d4700a",
  green: "#1a7f5a",
  purple: "#8250df",
  red: "#cf222e",
  grey: "#6e7781",
} as const;
export type Colour = keyof typeof COLOURS;

const SYMBOLS: Readonly<Record<Colour, string>> = {
  blue: "circle",
  orange: "rect",
  green: "triangle",
  purple: "diamond",
  red: "diamond",
  grey: "roundRect",
};

const SIZE = { width: 860, height: 480 } as const;
const INK = "#1f2328";
const FAINT = "#59636e";
const LINE = "#d1d9e0";
const FONT = "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, 'DejaVu Sans', sans-serif";

/** The same figure gives the same bytes. */
export function svgOf(figure: Figure): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, ...SIZE });
  try {
    chart.setOption(optionOf(figure));
    return `${still(chart.renderToSVGString())}\n`;
  } finally {
    chart.dispose();
  }
}

/**
 * ECharts counts charts and elements through the whole process, in ids and in
 * the classes of its hover styles. A picture in a page needs no hover, and ids
 * need to differ only within their file.
 */
function still(svg: string): string {
  return svg
    .replaceAll(/<style >[^]*?<\/style>/g, "")
    .replaceAll(/ class="zr[^"]*"/g, "")
    .replaceAll(/zr\d+-/g, "zr-");
}

function optionOf(figure: Figure): EChartsCoreOption {
  const { title, subtitle, source, series } = figure;
  return {
    animation: false,
    backgroundColor: "#ffffff",
    textStyle: { fontFamily: FONT, color: INK },
    title: {
      text: title,
      subtext: subtitle,
      left: 24,
      top: 16,
      itemGap: 6,
      textStyle: { fontSize: 18, fontWeight: 600, color: INK },
      subtextStyle: { fontSize: 12, color: FAINT },
    },
    legend: {
      left: 20,
      top: 68,
      itemWidth: 30,
      itemGap: 28,
      textStyle: { fontSize: 12, color: INK },
      data: series.map(({ name }) => name),
    },
    grid: { left: 84, right: 36, top: 112, bottom: 86 },
    xAxis: { ...axisOf(figure, "x"), nameGap: 34 },
    yAxis: { ...axisOf(figure, "y"), nameGap: 52 },
    graphic: [
      { type: "text", left: 24, bottom: 14, style: { text: source, fontSize: 11, fill: FAINT } },
      { type: "rect", shape: { x: 0.5, y: 0.5, width: 859, height: 479, r: 6 }, style: FRAME },
    ],
    series: series.map((each) => lineOf(each)),
  };
}
const FRAME = { fill: "none", stroke: LINE, lineWidth: 1 } as const;

function axisOf(figure: Figure, which: "x" | "y"): object {
  const { label, scale } = figure[which];
  const shared = {
    name: label,
    nameLocation: "middle",
    nameTextStyle: { fontSize: 13, color: INK },
    axisLine: { show: true, lineStyle: { color: FAINT } },
    axisTick: { show: true },
    axisLabel: { fontSize: 12, color: FAINT },
  };
  if (scale === "category") {
    return { ...shared, type: "category", data: figure.categories ?? [], boundaryGap: true };
  }
  const numbers = { ...shared.axisLabel, formatter: told };
  const grid = { splitLine: { show: true, lineStyle: { color: "#eaeef2" } } };
  if (scale === "linear") return { ...shared, ...grid, type: "value", min: 0, axisLabel: numbers };
  const minor = { show: true, lineStyle: { color: "#f3f5f7" } };
  return {
    ...shared,
    ...grid,
    type: "log",
    ...decades(figure, which === "x" ? 0 : 1),
    minorTick: { show: true, splitNumber: 9 },
    minorSplitLine: minor,
    axisLabel: numbers,
  };
}

/** From one power of ten to another; a point that lies on one needs no further decade. */
function decades({ series }: Figure, of: 0 | 1): { min: number; max: number } {
  const values = series.flatMap(({ points }) => points.map((point) => point[of]));
  const exponent = (value: number): number => Math.log10(value);
  return {
    min: 10 ** Math.floor(exponent(Math.min(...values)) + 0.001),
    max: 10 ** Math.ceil(exponent(Math.max(...values)) - 0.001),
  };
}

function lineOf({ name, colour, dashed, points }: Series): object {
  const symbol = SYMBOLS[colour];
  return {
    name,
    type: "line",
    data: points.map((point) => [...point]),
    symbol: dashed ? `empty${capital(symbol)}` : symbol,
    symbolSize: 8,
    showSymbol: true,
    lineStyle: { width: 2, type: dashed ? "dashed" : "solid", color: COLOURS[colour] },
    itemStyle: { color: COLOURS[colour] },
  };
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function told(value: number): string {
  return value >= 1
    ? Math.round(value).toLocaleString("en-US")
    : String(Number(value.toPrecision(3)));
}
