/**
 * Where the roles of one `start` answer scrapes: a file in DATA_DIR, in the form
 * that Prometheus discovers targets by (file_sd_configs), kept up to date.
 */
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Log } from "../ops/log.ts";
import type { MetricRole } from "../ops/metric-row.ts";

const FILE = "metrics-targets.json";
const PORT_MAX = 65_535;

/** The file that `millrace observe` lets Prometheus watch. */
export function targetsFile(dataDir: string): string {
  return join(dataDir, FILE);
}

export class ScrapeTargets {
  readonly #path: string;
  readonly #firstPort: number | null;
  readonly #log: Log;
  /** Ports that roles have or are to ask for, in the order in which they came. */
  readonly #ports = new Map<string, number>();
  readonly #targets = new Map<string, { readonly role: MetricRole; readonly target: string }>();
  /** Writes come one after the other, each with what holds when its turn comes. */
  #writing: Promise<void> = Promise.resolve();

  /** `firstPort` is that of the first role; 0 takes free ones, null none. */
  constructor(options: { dataDir: string; firstPort: number | null; log: Log }) {
    this.#path = targetsFile(options.dataDir);
    this.#firstPort = options.firstPort;
    this.#log = options.log;
  }

  /** The port that a role is to ask for: the same again after it was restarted. */
  portOf(name: string): number | null {
    if (this.#firstPort === null) return null;
    const known = this.#ports.get(name);
    if (known !== undefined) return known;
    const next = this.#firstPort === 0 ? 0 : this.#firstPort + this.#ports.size;
    const port = next > PORT_MAX ? 0 : next;
    this.#ports.set(name, port);
    return port;
  }

  /** A role answers at `target`, `host:port`, or nowhere. */
  found(name: string, role: MetricRole, target: string | null): void {
    if (target === null) return;
    this.#ports.set(name, Number(target.slice(target.lastIndexOf(":") + 1)));
    this.#targets.set(name, { role, target });
    this.#then(() => this.#write());
  }

  /** The roles were stopped in order: nobody is to miss them. */
  async remove(): Promise<void> {
    this.#then(() => rm(this.#path, { force: true }));
    await this.#writing;
  }

  async #write(): Promise<void> {
    const groups = [...this.#targets].map(([instance, { role, target }]) => ({
      targets: [target],
      labels: { role, instance },
    }));
    // Renamed into place, so that nobody reads half of it.
    await writeFile(`${this.#path}.new`, `${JSON.stringify(groups, null, 2)}\n`);
    await rename(`${this.#path}.new`, this.#path);
  }

  #then(step: () => Promise<void>): void {
    this.#writing = this.#writing.then(step).catch((error: unknown) => {
      this.#log.warn(
        { err: error, path: this.#path },
        "the list of metrics targets is not up to date",
      );
    });
  }
}
