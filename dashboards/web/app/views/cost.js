// What precision costs: AP against GPU-hours or the detector's size and speed, with the trials that no other beats in both.

import { axis, chart, tip } from "../chart.js";
import { choice, chooseGroup } from "../choose.js";
import { costsOf } from "../costs.js";
import { h } from "../dom.js";
import { methodOf } from "../filters.js";
import { counted, isNumber, isNumeric, metricText, number, shownValue, titleOf } from "../format.js";
import { change } from "../hash.js";
import { markedName, nameAmong, varying } from "../snapshot.js";
import { empty, withoutStudents } from "../states.js";
import { SYMBOLS } from "../theme.js";

const WIDE = 50;

export const view = {
  id: "cost",
  title: "Cost and scatter",
  group: "search",
  lede: "The metric against a cost, or any quantity against another. The line joins the Pareto front: no other trial is both better and cheaper.",
  render(context) {
    const { snapshot, runs, metric, wish } = context;
    const { group, control } = chooseGroup(context);
    if (!group) return withoutStudents(context.trials, context.ofStudy);
    const all = [...group.runs, ...group.baselines].filter((run) => runs.has(run)).map((run) => snapshot.byRun.get(run));
    const known = quantities(snapshot, all);
    const x = known.find(({ id }) => id === wish.cost) ?? known.find(({ isCost }) => isCost);
    const y = known.find(({ id }) => id === (wish.y ?? metric));
    if (!x || !y)
      return [control, empty("No trial has both a cost and a result", "They come with a trial's first evaluation.")];
    const trials = all.filter((trial) => isNumber(x.of(trial)) && isNumber(y.of(trial)));
    const front = x.isCost && y.id === snapshot.data.metric ? frontOf(snapshot, group, x).filter((run) => runs.has(run)) : [];
    const options_ = known.map(({ id, title }) => [id, title]);
    return [
      control,
      h("div", { class: "controls" }, choice("cost", "Across", options_, x.id), choice("y", "Up", options_, y.id)),
      chart({
        id: "cost",
        title: `${y.title} against ${x.title}`,
        height: 440,
        note: `${counted(trials.length, "trial")}${front.length > 0 ? `, ${front.length} on the front` : ""}; a click opens a trial`,
        onpick: ({ data }) => data?.run && change({ view: "trial", trials: data.run, trial: null }),
        options: (shade) => options(trials, front, x, y, shade, snapshot),
        numbers: () => ({
          rows: trials.map((trial) => ({ trial, front: front.includes(trial.run) })),
          columns: [
            { key: "name", title: "Trial", value: ({ trial }) => markedName(trial) },
            { key: "x", title: x.title, numeric: true, value: ({ trial }) => x.of(trial), text: x.text },
            { key: "y", title: y.title, numeric: true, value: ({ trial }) => y.of(trial), text: y.text },
            { key: "front", title: "On the front", text: (value) => (value ? "yes" : "no") },
          ],
        }),
      }),
    ];
  },
};

/** Return what can be drawn against each other: costs, metrics at the best epoch, and settings that are numbers. */
function quantities(snapshot, trials) {
  const costs = costsOf(trials).map((cost) => ({ ...cost, title: costTitle(cost), isCost: true }));
  const metrics = snapshot.metrics.map((key) => ({
    id: key,
    title: titleOf(key),
    text: (value) => metricText(key, value, 2),
    of: (trial) => snapshot.best(trial, key),
    shown: (value) => shownValue(key, value),
  }));
  const settings = varying(snapshot, trials)
    .filter((key) => trials.every((trial) => isNumeric(snapshot.params(trial)[key] ?? "0")))
    .map((key) => ({ id: key, title: key, text: number, of: (trial) => settingOf(snapshot, trial, key) }));
  return [...costs, ...metrics, ...settings].filter(({ of }) => trials.some((trial) => isNumber(of(trial))));
}

function costTitle({ title, unit }) {
  return title === unit ? title : `${title} (${unit})`;
}

function settingOf(snapshot, trial, key) {
  const text = snapshot.params(trial)[key];
  return text === undefined ? null : Number(text);
}

/** Return the runs on the front of a group; a snapshot of an earlier release names GPU-hours only, and no cost. */
function frontOf(snapshot, group, cost) {
  const fronts = (snapshot.data.pareto ?? []).filter((found) => found.group === group.id);
  return fronts.find((found) => (found.cost ?? "gpu_hours") === cost.id)?.front ?? [];
}

function options(trials, front, x, y, shade, snapshot) {
  const shown = (quantity, trial) => (quantity.shown ?? Number)(quantity.of(trial));
  const at = (trial) => [shown(x, trial), shown(y, trial)];
  const methods = [...new Set(trials.map(methodOf))].sort();
  const name = nameAmong(snapshot, trials);
  return {
    xAxis: axis(x.title, along(x, trials.map((trial) => shown(x, trial)), shade)),
    yAxis: { ...axis(y.title, along(y, trials.map((trial) => shown(y, trial)), shade)), nameGap: 48 },
    grid: { left: 72, right: 24, top: 40, bottom: 48 },
    legend: { itemWidth: 14 },
    tooltip: {
      trigger: "item",
      formatter: ({ data, seriesName }) =>
        data.run
          ? tip(data.name, [
              [x.title, x.text(x.of(snapshot.byRun.get(data.run)))],
              [y.title, y.text(y.of(snapshot.byRun.get(data.run)))],
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
          .map((trial) => ({ run: trial.run, name: name(trial), value: at(trial) })),
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

/** Return how an axis runs: by logarithm where its values span more than a factor of fifty, by whole ticks between counts. */
function along({ isCost, text }, values, shade) {
  const wide = Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > WIDE;
  const axisLabel = { color: shade.quiet, hideOverlap: true, ...(isCost ? { formatter: (value) => text(value) } : {}) };
  return { type: wide ? "log" : "value", axisLabel, minInterval: values.every(Number.isInteger) ? 1 : 0 };
}
