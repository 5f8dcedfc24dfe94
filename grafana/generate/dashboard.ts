/** From our description of a dashboard to the JSON that Grafana imports. */
import type { Builder, Dataquery } from "@grafana/grafana-foundation-sdk/cog";
import * as common from "@grafana/grafana-foundation-sdk/common";
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import * as prometheus from "@grafana/grafana-foundation-sdk/prometheus";
import * as stat from "@grafana/grafana-foundation-sdk/stat";
import * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";

import type { DashboardSource, Panel, Query, Red } from "./panel.ts";

/** Columns of Grafana's grid, of 24: three panels a row. */
const SPAN = 8;
const HEIGHT = 8;
const SOURCE = { type: "prometheus", uid: "${datasource}" };

/** Pretty-printed, with a line break at the end. */
export function dashboardJson(source: DashboardSource): string {
  const builder = new dashboard.DashboardBuilder(`Millrace: ${source.title}`)
    .uid(`millrace-${source.name}`)
    .description(source.about)
    .tags(["millrace"])
    .refresh("10s")
    .time({ from: "now-30m", to: "now" })
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .readonly()
    .withVariable(
      new dashboard.DatasourceVariableBuilder("datasource").label("Prometheus").type("prometheus"),
    )
    .link(
      new dashboard.DashboardLinkBuilder("Millrace")
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags(["millrace"])
        .keepTime(true),
    );
  let lastId = 0;
  for (const section of source.sections) {
    builder.withRow(new dashboard.RowBuilder(section.title).id(++lastId));
    for (const panel of section.panels) builder.withPanel(panelOf(panel, ++lastId));
  }
  return `${JSON.stringify(builder.build(), null, 2)}\n`;
}

function panelOf(panel: Panel, id: number): Builder<dashboard.Panel> {
  const made =
    panel.kind === "lines"
      ? new timeseries.PanelBuilder()
          .legend(
            new common.VizLegendOptionsBuilder()
              .displayMode(common.LegendDisplayMode.List)
              .placement(common.LegendPlacement.Bottom)
              .showLegend(true),
          )
          .fillOpacity(10)
          .thresholdsStyle(
            new common.GraphThresholdsStyleConfigBuilder().mode(
              panel.red === "never"
                ? common.GraphThresholdsStyleMode.Off
                : common.GraphThresholdsStyleMode.Line,
            ),
          )
      : new stat.PanelBuilder().reduceOptions(
          new common.ReduceDataOptionsBuilder().calcs(["lastNotNull"]),
        );
  return made
    .id(id)
    .title(panel.title)
    .description(descriptionOf(panel))
    .datasource(SOURCE)
    .unit(panel.unit)
    .span(SPAN)
    .height(HEIGHT)
    .thresholds(thresholdsOf(panel.red))
    .targets(panel.queries.map(targetOf));
}

export function descriptionOf({ shows, red, act }: Panel): string {
  return red === "never" ? `${shows} Never red: ${act}` : `${shows} When red: ${act}`;
}

function targetOf({ expr, legend }: Query, index: number): Builder<Dataquery> {
  return new prometheus.DataqueryBuilder()
    .refId(String.fromCharCode("A".charCodeAt(0) + index))
    .expr(expr)
    .legendFormat(legend)
    .range();
}

function thresholdsOf(red: Red): dashboard.ThresholdsConfigBuilder {
  const steps: dashboard.Threshold[] =
    red === "never"
      ? [{ value: null, color: "blue" }]
      : "above" in red
        ? [
            { value: null, color: "green" },
            { value: red.above, color: "red" },
          ]
        : [
            { value: null, color: "red" },
            { value: red.below, color: "green" },
          ];
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps(steps);
}
