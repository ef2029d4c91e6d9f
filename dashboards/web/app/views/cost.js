// What precision costs: AP against GPU-hours or the detector's size and speed, with the trials that no other beats in both.

import { axis, chart, tip } from "../chart.js";
import { choice, chooseGroup } from "../choose.js";
import { COSTS } from "../costs.js";
import { h } from "../dom.js";
import { methodOf } from "../filters.js";
import { isNumber, isPrecision, metricText, number, shownValue, titleOf } from "../format.js";
import { change } from "../hash.js";
import { markedName } from "../snapshot.js";
import { empty, filteredOut } from "../states.js";
import { SYMBOLS } from "../theme.js";

export const view = {
  id: "cost",
  title: "Cost",
  lede: "The metric against a cost. The line joins the Pareto front: no other trial is both better and cheaper.",
  render(context) {
    const { snapshot, runs, metric } = context;
    const { group, control } = chooseGroup(context);
    if (!group) return filteredOut();
    const scored = [...group.runs, ...group.baselines]
      .filter((run) => runs.has(run))
      .map((run) => snapshot.byRun.get(run))
      .filter((trial) => isNumber(snapshot.best(trial, metric)));
    const known = COSTS.filter(({ of }) => scored.some((trial) => isNumber(of(trial))));
    const cost = known.find(({ id }) => id === context.wish.cost) ?? known[0];
    if (!cost)
      return [control, empty("No trial has both a cost and a result", "They come with a trial's first evaluation.")];
    const trials = scored.filter((trial) => isNumber(cost.of(trial)));
    const front = metric === snapshot.data.metric ? frontOf(snapshot, group, cost).filter((run) => runs.has(run)) : [];
    return [
      control,
      known.length > 1 &&
        h(
          "div",
          { class: "controls" },
          choice(
            "cost",
            "Against",
            known.map(({ id, title, unit }) => [id, title === "GPU-hours" ? title : `${title} (${unit})`]),
            cost.id,
          ),
        ),
      chart({
        id: "cost",
        title: `${titleOf(metric)} against ${cost.unit}`,
        height: 440,
        note: `${trials.length} trials${front.length > 0 ? `, ${front.length} on the front` : ""}; a click compares a trial with the best`,
        onpick: ({ data }) => data?.run && change({ view: "compare", a: null, b: data.run }),
        options: (shade) => options(snapshot, trials, front, metric, cost, shade),
        numbers: () => ({
          rows: trials.map((trial) => ({ trial, front: front.includes(trial.run) })),
          columns: [
            { key: "name", title: "Trial", value: ({ trial }) => markedName(trial) },
            { key: "hours", title: cost.title, numeric: true, value: ({ trial }) => cost.of(trial), text: cost.text },
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

/** Return the runs on the front of a group; a snapshot of an earlier release names GPU-hours only, and no cost. */
function frontOf(snapshot, group, cost) {
  const fronts = (snapshot.data.pareto ?? []).filter((found) => found.group === group.id);
  return fronts.find((found) => (found.cost ?? "gpu_hours") === cost.id)?.front ?? [];
}

function options(snapshot, trials, front, metric, cost, shade) {
  const at = (trial) => [cost.of(trial), shownValue(metric, snapshot.best(trial, metric))];
  const methods = [...new Set(trials.map(methodOf))].sort();
  const costs = trials.map(cost.of);
  const axisLabel = { color: shade.quiet, hideOverlap: true, formatter: (value) => cost.text(value) };
  const wide = Math.min(...costs) > 0 && Math.max(...costs) / Math.min(...costs) > 50;
  return {
    xAxis: axis(cost.unit, { type: wide ? "log" : "value", axisLabel }),
    yAxis: axis(titleOf(metric), { type: "value", nameGap: 40 }),
    grid: { left: 64, right: 24, top: 40, bottom: 48 },
    legend: { itemWidth: 14 },
    tooltip: {
      trigger: "item",
      formatter: ({ data, seriesName }) =>
        data.run
          ? tip(data.name, [
              [cost.title, cost.text(data.value[0])],
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
