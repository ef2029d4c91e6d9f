// What precision costs: AP against GPU-hours, with the trials that no other one beats in both.

import { axis, chart, tip } from "../chart.js";
import { chooseGroup } from "../choose.js";
import { methodOf } from "../filters.js";
import { isNumber, isPrecision, metricText, number, shownValue, titleOf } from "../format.js";
import { change } from "../hash.js";
import { markedName } from "../snapshot.js";
import { empty, filteredOut } from "../states.js";
import { SYMBOLS } from "../theme.js";

export const view = {
  id: "cost",
  title: "Cost",
  lede: "The metric against GPU-hours. The line joins the Pareto front: no other trial is both better and cheaper.",
  render(context) {
    const { snapshot, runs, metric } = context;
    const { group, control } = chooseGroup(context);
    if (!group) return filteredOut();
    const trials = [...group.runs, ...group.baselines]
      .filter((run) => runs.has(run))
      .map((run) => snapshot.byRun.get(run))
      .filter((trial) => isNumber(trial.gpu_hours) && isNumber(snapshot.best(trial, metric)));
    if (trials.length === 0)
      return [control, empty("No trial has both a cost and a result", "They come with a trial's first evaluation.")];
    const front =
      metric === snapshot.data.metric
        ? ((snapshot.data.pareto ?? [])
            .find((found) => found.group === group.id)
            ?.front.filter((run) => runs.has(run)) ?? [])
        : [];
    return [
      control,
      chart({
        id: "cost",
        title: `${titleOf(metric)} against GPU-hours`,
        height: 440,
        note: `${trials.length} trials${front.length > 0 ? `, ${front.length} on the front` : ""}; a click compares a trial with the best`,
        onpick: ({ data }) => data?.run && change({ view: "compare", a: null, b: data.run }),
        options: (shade) => options(snapshot, trials, front, metric, shade),
        numbers: () => ({
          rows: trials.map((trial) => ({ trial, front: front.includes(trial.run) })),
          columns: [
            { key: "name", title: "Trial", value: ({ trial }) => markedName(trial) },
            { key: "hours", title: "GPU-hours", numeric: true, value: ({ trial }) => trial.gpu_hours },
            {
              key: "metric",
              title: titleOf(metric),
              numeric: true,
              value: ({ trial }) => snapshot.best(trial, metric),
              text: (v) => metricText(metric, v, 2),
            },
            { key: "front", title: "On the front", text: (value) => (value ? "yes" : "no") },
          ],
        }),
      }),
    ];
  },
};

function options(snapshot, trials, front, metric, shade) {
  const at = (trial) => [trial.gpu_hours, shownValue(metric, snapshot.best(trial, metric))];
  const methods = [...new Set(trials.map(methodOf))].sort();
  const hours = trials.map(({ gpu_hours }) => gpu_hours);
  const wide = Math.min(...hours) > 0 && Math.max(...hours) / Math.min(...hours) > 50;
  return {
    xAxis: axis("GPU-hours", { type: wide ? "log" : "value" }),
    yAxis: axis(titleOf(metric), { type: "value", nameGap: 40 }),
    grid: { left: 64, right: 24, top: 40, bottom: 48 },
    legend: { itemWidth: 14 },
    tooltip: {
      trigger: "item",
      formatter: ({ data, seriesName }) =>
        data.run
          ? tip(data.name, [
              ["GPU-hours", number(data.value[0])],
              [titleOf(metric), isPrecision(metric) ? data.value[1].toFixed(2) : number(data.value[1])],
            ])
          : seriesName,
    },
    series: [
      ...methods.map((method, index) => ({
        type: "scatter",
        name: method,
        symbol: SYMBOLS[index % SYMBOLS.length],
        symbolSize: trials.length > 200 ? 6 : 10,
        data: trials
          .filter((trial) => methodOf(trial) === method)
          .map((trial) => ({ run: trial.run, name: markedName(trial), value: at(trial) })),
      })),
      {
        type: "line",
        name: "front",
        step: "end",
        symbol: "none",
        silent: true,
        lineStyle: { color: shade.quiet, type: "dashed" },
        itemStyle: { color: shade.quiet },
        data: front
          .map((run) => snapshot.byRun.get(run))
          .filter(Boolean)
          .map(at),
      },
    ],
  };
}
