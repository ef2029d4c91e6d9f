// Two runs side by side: what was set differently, what came out differently, and the curves on one chart.

import { bestFirst, chooseTrial } from "../choose.js";
import { h } from "../dom.js";
import {
  isNumber,
  isPrecision,
  meaningOf,
  metricText,
  NOTHING,
  number,
  short,
  shownValue,
  signed,
  titleOf,
} from "../format.js";
import { along, lineControls, lookOf } from "../line_controls.js";
import { lines } from "../lines.js";
import { nameAmong } from "../snapshot.js";
import { empty } from "../states.js";
import { table } from "../table.js";

export const view = {
  id: "compare",
  title: "Compare two runs",
  group: "results",
  lede: "Settings and results that differ between two trials.",
  curves: true,
  render(context) {
    const { snapshot, trials, wish } = context;
    if (trials.length < 2)
      return empty("There are not two trials to compare", "Widen the filters, or wait for a second trial.");
    const ordered = bestFirst(context, trials);
    const one = chooseTrial("a", "First", ordered, wish);
    const others = ordered.filter(({ run }) => run !== one.trial.run);
    const alone = others.find(({ method, role }) => method === "none" && role === "student"); // those that count first
    const other = chooseTrial("b", "Second", others, { b: alone?.run, ...wish });
    const pair = [one.trial, other.trial];
    return [
      h("div", { class: "controls" }, one.control, other.control),
      guard(snapshot, pair),
      settingsOf(snapshot, pair),
      metricsOf(snapshot, pair),
      lineControls(wish),
      overlay(snapshot, pair, context.metric, lookOf(wish)),
    ];
  },
};

function guard(snapshot, [a, b]) {
  const [ones, others] = [a, b].map(({ run }) => snapshot.groupsOf(run));
  const [one, other] = [ones[0], others[0]];
  if (!one || !other || ones.some((group) => others.includes(group))) return null;
  const known = snapshot.difference(one.id, other.id);
  return h(
    "p",
    { class: "notice", id: "guard" },
    h("b", {}, "These two may not be ranked against each other. "),
    known ? known.sentences.join(" ") : `${one.label} / ${other.label}`,
  );
}

function settingsOf(snapshot, [a, b]) {
  const [left, right] = [snapshot.params(a), snapshot.params(b)];
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])].sort();
  const rows = keys.map((key) => ({ key, a: left[key], b: right[key] })).filter((row) => row.a !== row.b);
  const same = keys.length - rows.length;
  return h(
    "section",
    {},
    h("h2", {}, "Settings"),
    rows.length === 0
      ? h("p", { class: "note" }, `All ${same} settings are the same.`)
      : [
          table({
            id: "settings",
            caption: "Settings that differ",
            rows,
            columns: sides("Setting", (value) => short(value ?? NOTHING)),
          }),
          h("p", { class: "note" }, `${same} further settings are the same.`),
        ],
  );
}

function sides(title, text) {
  return [
    { key: "key", title },
    { key: "a", title: "First", text },
    { key: "b", title: "Second", text },
  ];
}

function metricsOf(snapshot, [a, b]) {
  const rows = snapshot.metrics
    .map((key) => ({
      key,
      a: snapshot.best(a, key),
      b: snapshot.best(b, key),
      lastA: snapshot.last(a, key),
      lastB: snapshot.last(b, key),
    }))
    .filter((row) => row.a !== null || row.b !== null);
  const text = (value, row) => metricText(row.key, value, 2);
  const change = (row, one, other) => (isNumber(row[one]) && isNumber(row[other]) ? row[other] - row[one] : null);
  const difference = (value, row) => (isPrecision(row.key) ? signed(shownValue(row.key, value), 2) : withSign(value));
  return h(
    "section",
    {},
    h("h2", {}, "Metrics"),
    table({
      id: "metrics",
      caption: "Metrics of both runs",
      rows,
      sortable: true,
      columns: [
        { key: "key", title: "Metric", node: (key) => h("span", { title: meaningOf(key) }, titleOf(key)) },
        { key: "a", title: "First, best", numeric: true, text },
        { key: "b", title: "Second, best", numeric: true, text },
        { key: "change", title: "Difference", numeric: true, value: (row) => change(row, "a", "b"), text: difference },
        { key: "lastA", title: "First, last", numeric: true, text },
        { key: "lastB", title: "Second, last", numeric: true, text },
      ],
    }),
    h("p", { class: "note" }, "Best: at the epoch with the highest selection metric. Average precisions in percent."),
  );
}

function withSign(value) {
  return isNumber(value) && value !== 0 ? `${value < 0 ? "−" : "+"}${number(Math.abs(value))}` : number(value);
}

function overlay(snapshot, pair, metric, look) {
  const name = nameAmong(snapshot, pair);
  const curves = pair.map((trial, index) => ({
    name: `${["First", "Second"][index]}: ${name(trial)}`,
    data: along(snapshot, trial.run, metric, shownValue(metric, 1), look),
  }));
  if (curves.every(({ data }) => data.length === 0))
    return empty(`No curve of ${titleOf(metric)}`, "Neither run recorded it by epoch.");
  return lines({
    id: "overlay",
    title: titleOf(metric),
    note: "Both runs",
    curves,
    y: titleOf(metric),
    look,
    decimals: isPrecision(metric) ? 2 : null,
  });
}
