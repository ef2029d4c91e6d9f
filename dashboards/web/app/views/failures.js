// What went wrong, when, and what was done about it.

import { axis, chart, tip } from "../chart.js";
import { counted, isNumber, moment, short } from "../format.js";
import { h } from "../dom.js";
import { nameOf } from "../snapshot.js";
import { empty, filteredOut } from "../states.js";
import { table } from "../table.js";
import { SYMBOLS } from "../theme.js";

export const view = {
  id: "failures",
  title: "Failures",
  lede: "Interruptions of trials, and the response to each.",
  render({ trials }) {
    if (trials.length === 0) return filteredOut();
    const rows = trials.flatMap(events).sort((a, b) => time(b) - time(a) || 0);
    if (rows.length === 0) return empty("Nothing failed", `${counted(trials.length, "trial")} went straight on.`);
    return [
      h("p", { class: "note" }, tally(rows)),
      timeline(rows),
      table({
        id: "failures",
        caption: "Failures",
        rows,
        sortable: true,
        columns: [
          { key: "time", title: "When", text: moment, whole: true },
          { key: "trial", title: "Trial", value: ({ trial }) => nameOf(trial) },
          { key: "kind", title: "Kind" },
          { key: "action", title: "Then" },
          { key: "detail", title: "Why", node: (value) => reason(value) },
        ],
      }),
    ];
  },
};

function events(trial) {
  return (trial.events ?? []).map((event) => ({ ...event, trial }));
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
    note: `${timed.length} events of ${kinds.length} kinds`,
    height: 110 + 36 * kinds.length,
    options: () => ({
      grid: { left: 12, right: 24, top: 12, bottom: 32, containLabel: true },
      xAxis: axis("", { type: "time" }),
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
