/**
 * What a role answers to a scrape. Nothing is recorded here while the role
 * works: it counts in plain numbers of its own, and its sources hand those over
 * when somebody asks.
 */
import {
  Counter,
  Gauge,
  Histogram,
  Registry,
  type CounterConfiguration,
  type GaugeConfiguration,
  type HistogramConfiguration,
  type MetricValueWithName,
} from "prom-client";

import type { Distribution } from "./distribution.ts";
import type { MetricRole } from "./metric-row.ts";
import { METRICS, type LabelsOf, type MetricName } from "./metric-table.ts";

type Labels = Readonly<Record<string, string>>;
/** The labels as last argument, where there are some. */
type LabelArgs<N extends MetricName> = keyof LabelsOf<N> extends never ? [] : [LabelsOf<N>];

export interface Publisher {
  /** The present value of a counter or gauge. */
  set<N extends MetricName>(name: N, value: number, ...labels: LabelArgs<N>): void;
  /** Of a histogram. */
  distribution<N extends MetricName>(name: N, values: Distribution, ...labels: LabelArgs<N>): void;
}
/** Hands over what it has counted. A source that rejects is left out of that scrape. */
export type Source = (to: Publisher) => void | Promise<void>;

interface Published {
  readonly labels: Labels;
  readonly value: number | Distribution;
}

/**
 * prom-client's metrics keep values of their own, and one that was reset reads
 * 0: to a scraper that is a restart. These have what was published for this
 * scrape, or nothing.
 */
type Samples = () => MetricValueWithName<string>[];

class PublishedCounter extends Counter {
  readonly #samples: Samples;
  constructor(options: CounterConfiguration<string>, samples: Samples) {
    super(options);
    this.#samples = samples;
  }
  override async get(): ReturnType<Counter["get"]> {
    return { ...(await super.get()), values: this.#samples() };
  }
}

class PublishedGauge extends Gauge {
  readonly #samples: Samples;
  constructor(options: GaugeConfiguration<string>, samples: Samples) {
    super(options);
    this.#samples = samples;
  }
  override async get(): ReturnType<Gauge["get"]> {
    return { ...(await super.get()), values: this.#samples() };
  }
}

class PublishedHistogram extends Histogram {
  readonly #described: { readonly name: string; readonly help: string };
  readonly #samples: Samples;
  constructor(options: HistogramConfiguration<string>, samples: Samples) {
    super(options);
    this.#described = options;
    this.#samples = samples;
  }
  /** What the registry asks a histogram for, which `get` goes through as well. */
  async getForPromString(): Promise<object> {
    const { name, help } = this.#described;
    return { name, help, type: "histogram", values: this.#samples(), aggregator: "sum" };
  }
}
const CLASSES = {
  counter: PublishedCounter,
  gauge: PublishedGauge,
  histogram: PublishedHistogram,
} as const;

export class Metrics {
  readonly role: MetricRole;
  readonly #registry = new Registry();
  readonly #sources: Source[] = [];
  readonly #failed: (error: unknown) => void;
  #values = new Map<MetricName, Published[]>();
  #scraping: Promise<string> | null = null;

  /** `failed` hears of a source that could not answer. */
  constructor(role: MetricRole, failed: (error: unknown) => void) {
    this.role = role;
    this.#failed = failed;
    for (const [name, { roles }] of Object.entries(METRICS)) {
      if (roles.includes(role)) this.#register(name as MetricName);
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  add(source: Source): void {
    this.#sources.push(source);
  }

  /** The text of one scrape; whoever asks meanwhile gets the same. */
  scrape(): Promise<string> {
    this.#scraping ??= this.#scrape().finally(() => {
      this.#scraping = null;
    });
    return this.#scraping;
  }

  async #scrape(): Promise<string> {
    const values = new Map<MetricName, Published[]>();
    await Promise.all(this.#sources.map((source) => this.#ask(source, values)));
    this.#values = values;
    return this.#registry.metrics();
  }

  async #ask(source: Source, values: Map<MetricName, Published[]>): Promise<void> {
    const put = (name: MetricName, value: Published["value"], labels: Labels = {}): void => {
      if (!METRICS[name].roles.includes(this.role))
        throw new Error(`${name} is not of ${this.role}`);
      const samples = values.get(name);
      if (samples) samples.push({ labels, value });
      else values.set(name, [{ labels, value }]);
    };
    try {
      await source({
        set: (name, value, ...[labels]) => put(name, value, labels),
        distribution: (name, value, ...[labels]) => put(name, value, labels),
      });
    } catch (error) {
      this.#failed(error);
    }
  }

  #register(name: MetricName): void {
    const { type, help, labels: labelNames } = METRICS[name];
    const samples: Samples = () =>
      (this.#values.get(name) ?? []).flatMap(({ labels, value }) =>
        typeof value === "number"
          ? [{ labels, value, metricName: name }]
          : bucketLines(name, labels, value),
      );
    // Built without a registry, else it would be in prom-client's own, for the whole process.
    const metric = new CLASSES[type]({ name, help, labelNames, registers: [] }, samples);
    this.#registry.registerMetric(metric);
  }
}

function bucketLines(
  name: string,
  labels: Labels,
  { bounds, counts, sum }: Distribution,
): MetricValueWithName<string>[] {
  let below = 0;
  const lines = counts.map((count, i) => {
    below += count;
    const le = i < bounds.length ? String(bounds[i]) : "+Inf";
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: below };
  });
  return [
    ...lines,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: below },
  ];
}

/** One sample a name of a closed set, under the label that tells them apart. */
export function publishCounts<N extends MetricName>(
  to: Publisher,
  name: N,
  label: keyof LabelsOf<N>,
  counts: Readonly<Record<string, number>>,
): void {
  for (const [value, count] of Object.entries(counts)) {
    const labels = { [label]: value } as LabelsOf<N>;
    (to.set as (name: N, value: number, labels: LabelsOf<N>) => void)(name, count, labels);
  }
}
