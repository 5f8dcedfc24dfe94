/** `npm run bench:plots`: the newest results as pictures, into bench/results/plots. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { newestResults, ResultError } from "../results.ts";
import { svgOf } from "./chart.ts";
import { figuresOf } from "./figures.ts";

const RESULTS = "bench/results";
const BAD_USAGE = 2;

process.exitCode = run(process.argv.slice(2));

function run(words: readonly string[]): number {
  const help = words.includes("--help") || words.includes("-h");
  if (help || words.length > 1 || words[0]?.startsWith("-") === true) {
    const usage = "npm run bench:plots -- [folder of the results; bench/results]\n";
    (help ? process.stdout : process.stderr).write(usage);
    return help ? 0 : BAD_USAGE;
  }
  const dir = words[0] ?? RESULTS;
  try {
    const figures = figuresOf(newestResults(dir));
    const plots = join(dir, "plots");
    mkdirSync(plots, { recursive: true });
    for (const figure of figures) {
      const path = join(plots, `${figure.name}.svg`);
      writeFileSync(path, svgOf(figure));
      process.stdout.write(`${path}  ${figure.source}\n`);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof ResultError)) throw error;
    process.stderr.write(`bench:plots: ${error.message}\n`);
    return 1;
  }
}
