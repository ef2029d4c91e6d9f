// What went wrong, when, and what was done about it.

import { axis, chart, tip } from "../chart.js";
import { counted, isNumber, moment, short } from "../format.js";
import { h } from "../dom.js";
import { linkTo } from "../hash.js";
import { nameOf } from "../snapshot.js";
import { empty, filteredOut } from "../states.js";
import { isFailure } from "../incidents.js";
import { table } from "../table.js";
import { SYMBOLS } from "../theme.js";

const COLUMNS = [
  { key: "time", title: "When", text: moment, whole: true },
  {
    key: "trial",
    title: "Trial",
    value: ({ trial }) => nameOf(trial),
    node: (name, { trial }) => h("a", { href: linkTo({ view: "trial", trials: trial.run }) }, short(name, 80)),
  },
  { key: "kind", title: "Kind" },
  { key: "action", title: "Then" },
  { key: "detail", title: "Why", node: (value) => reason(value) },
];

export const view = {
  id: "failures",
  title: "Failures",
  group: "faults",
  lede: "Interruptions of trials, and the response to each.",
  render({ trials }) {
    if (trials.length === 0) return filteredOut();
    const rows = trials.flatMap(events).sort((a, b) => time(b) - time(a) || 0);
    if (rows.length === 0) return empty("Nothing failed", nothing(trials));
    return [
      h("p", { class: "note" }, tally(rows)),
      timeline(rows),
      table({
        id: "failures",
        caption: "Failures",
        rows,
        sortable: true,
        columns: COLUMNS,
      }),
    ];
  },
};

function nothing(trials) {
  const stopped = trials.filter(({ status }) => status === "stopped").length;
  const early = stopped > 0 ? `; ${counted(stopped, "trial")} stopped early, which is no failure` : "";
  return `${counted(trials.length, "trial")} went straight on${early}.`;
}

function events(trial) {
  return (trial.events ?? []).filter(isFailure).map((event) => ({ ...event, trial }));
}

function time({ time: when }) {
  return isNumber(when) ? when : -Infinity;
}

function tally(rows) {
  const counts = new Map();
  for (const { kind } of rows) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${count} × ${short(kind, 40)}`)
    .join(", ");
}

function reason(text) {
  const whole = String(text ?? "");
  if (whole.length <= 160) return whole;
  return h("details", {}, h("summary", {}, short(whole, 120)), h("p", {}, short(whole, 5000)));
}

function timeline(rows) {
  const timed = rows.filter(({ time: when }) => isNumber(when));
  if (timed.length === 0) return null;
  const kinds = [...new Set(timed.map(({ kind }) => kind))].sort();
  return chart({
    id: "timeline",
    title: "When",
    note: `${counted(timed.length, "event")} of ${counted(kinds.length, "kind")}`,
    height: 110 + 36 * kinds.length,
    csv: () => ({ rows: timed, columns: COLUMNS.map(({ node, ...column }) => column) }),
    options: () => ({
      grid: { left: 12, right: 24, top: 12, bottom: 44, containLabel: true },
      xAxis: axis("time", { type: "time" }),
      yAxis: axis("", { type: "category", data: kinds.map((kind) => short(kind, 24)) }),
      tooltip: {
        trigger: "item",
        formatter: ({ data }) =>
          tip(nameOf(data.row.trial), [
            ["when", moment(data.row.time)],
            ["what", short(data.row.kind, 60)],
            ["then", short(data.row.action ?? "", 80)],
            ["why", short(data.row.detail ?? "", 160)],
          ]),
      },
      series: kinds.map((kind, index) => ({
        type: "scatter",
        symbol: SYMBOLS[index % SYMBOLS.length],
        symbolSize: 12,
        data: timed.filter((row) => row.kind === kind).map((row) => ({ row, value: [1000 * row.time, index] })),
      })),
    }),
  });
}
