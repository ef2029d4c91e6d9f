// Which method is best: mean and spread over seeds, differences to `none` and to the paper, ranked only among equals.

import { choice, FACTS, groupNames, groupsShown } from "../choose.js";
import { telling } from "../costs.js";
import { h } from "../dom.js";
import { boardOf } from "../filters.js";
import {
  counted,
  isNumber,
  isNumeric,
  meaningOf,
  metricText,
  NOTHING,
  number,
  shownValue,
  signed,
  titleOf,
} from "../format.js";
import { linkTo } from "../hash.js";
import { empty, filteredOut } from "../states.js";
import { table } from "../table.js";

const OTHERS = 5; // further metrics beside the chosen one
const SECTIONS = 12;

export const view = {
  id: "leaderboard",
  title: "Leaderboard",
  lede: "Each row averages trials that differ only in the seed. Only trials with equal training and evaluation are ranked together.",
  render(context) {
    if (context.snapshot.trials.length === 0)
      return empty("No trial is recorded yet", "Rows appear with the first trial.");
    const groups = groupsShown(context);
    if (groups.length === 0) return filteredOut();
    const shown = groups.filter(({ id }) => id === context.wish.group);
    const drawn = shown.length > 0 ? shown : groups.slice(0, SECTIONS);
    const names = groupNames(groups);
    return [
      guard(groups, drawn, names, context),
      ...drawn.map((group) => section(group, names.get(group.id), context)),
    ];
  },
};

function guard(groups, drawn, names, { snapshot, wish }) {
  if (groups.length < 2) return null;
  const [first, ...others] = groups;
  return h(
    "section",
    { class: "notice", id: "guard" },
    h(
      "p",
      {},
      h("b", {}, `${groups.length} groups are ranked apart. `),
      "They differ in training or evaluation, so their numbers are not comparable.",
    ),
    choice("group", "Show", [["", "all groups"], ...names], wish.group),
    h(
      "details",
      { id: "guard-details" },
      h("summary", {}, "Differences"),
      h(
        "ul",
        {},
        others
          .slice(0, SECTIONS)
          .map((other) =>
            h(
              "li",
              {},
              h("b", {}, `${names.get(first.id)} / ${names.get(other.id)}: `),
              sentences(snapshot, first, other),
            ),
          ),
      ),
    ),
    drawn.length < groups.length && h("p", { class: "note" }, `${drawn.length} of ${groups.length} groups are shown.`),
  );
}

function sentences(snapshot, first, other) {
  const known = snapshot.difference(first.id, other.id);
  if (known) return known.sentences.join(" ");
  return FACTS.filter((fact) => first.facts[fact] !== other.facts[fact])
    .map((fact) => `${fact}: ${first.facts[fact]} against ${other.facts[fact]}.`)
    .join(" ");
}

function section(group, name, context) {
  const { snapshot, runs } = context;
  const rows = snapshot.rows.filter((row) => row.group === group.id && row.runs.some((run) => runs.has(run)));
  return h(
    "section",
    { class: "group", "data-group": group.id },
    h("h2", {}, name),
    table({
      id: `rows-${group.id}`,
      caption: `Leaderboard of ${group.label}`,
      rows: inRank(rows).flatMap((row) => withOthers(snapshot, row)),
      columns: columns(context, rows),
      sortable: true,
      rowClass: ({ kind }) => kind,
    }),
    h(
      "p",
      { class: "note" },
      `${counted(rows.length, "row")}. Mean ± sample standard deviation over finished seeds, of each seed's best epoch. ` +
        "Rows share a rank where their difference is within Student's t (95 %) of the spread that all of them share; " +
        "where no seed was repeated there are no ranks. A line marked in brackets is one trial at its last evaluation: " +
        "it enters no mean and no rank.",
    ),
    h(
      "details",
      { class: "numbers", id: `facts-${group.id}` },
      h("summary", {}, "Shared settings"),
      h(
        "dl",
        { class: "facts" },
        FACTS.map((fact) => h("div", {}, h("dt", {}, fact), h("dd", {}, group.facts[fact] ?? NOTHING))),
      ),
    ),
  );
}

function inRank(rows) {
  const order = { teacher: 0, baseline: 1, distilled: 2 };
  return [...rows].sort((a, b) => order[a.kind] - order[b.kind] || (a.rank ?? Infinity) - (b.rank ?? Infinity) || 0);
}

/** Return a row, and after it a line for each of its trials that was measured and does not count. */
function withOthers(snapshot, row) {
  const evaluated = ({ values }) => snapshot.evaluations.some((key) => snapshot.pick(values, key) !== null);
  const shown = (row.others ?? []).filter(evaluated);
  const apart = shown.map((other) => ({
    ...row,
    label: `${row.label} (${other.mark})`,
    runs: [other.run],
    seeds: [other.seed],
    n: 0,
    mean: other.values,
    spread: null,
    best: null,
    last_mean: other.values,
    last_spread: null,
    test: null,
    test_spread: null,
    to_none: null,
    to_paper: null,
    none_key: null,
    rank: null,
    gpu_hours: null,
    statuses: { [other.status]: 1 },
    others: [],
    mark: other.mark,
  }));
  return row.runs.length === 1 && apart.length === 1 ? apart : [row, ...apart];
}

function seeds(row) {
  if (row.mark) return row.seeds[0] === null ? NOTHING : `seed ${row.seeds[0]}`;
  return row.n === row.runs.length ? String(row.n) : `${row.n} of ${row.runs.length}`;
}

function columns({ snapshot, metric, wish }, rows) {
  const selected = snapshot.data.metric;
  const others = snapshot.evaluations.filter((key) => key !== metric).slice(0, OTHERS);
  const settings = boardOf(snapshot, wish.pinned)?.group_by ?? [];
  const mean = (row) => snapshot.pick(row.mean, metric);
  const several = new Set(rows.filter(({ kind }) => kind !== "teacher").map((row) => row.student)).size > 1;
  const student = {
    key: "student",
    title: "Student",
    node: (value) => h("span", { class: "whole" }, String(value || NOTHING).slice(0, 60)),
  };
  const paper = {
    key: "paper",
    title: "To paper",
    numeric: true,
    hint: `${titleOf(selected)} less the paper's; on Pascal VOC that is VOC's own AP`,
    value: (row) => row.to_paper,
    node: (value, row) => toPaper(snapshot, value, row),
  };
  const test = {
    key: "test",
    title: `Test ${titleOf(selected)}`,
    numeric: true,
    hint: "On the test split, which nothing was chosen by: measured once, for the chosen row and the student alone",
    text: (value, row) => around(selected, value, row.test_spread),
  };
  return [
    { key: "rank", title: "Rank", numeric: true, hint: `By ${titleOf(selected)}`, text: (value) => value ?? NOTHING },
    { key: "label", title: "Trials", node: label },
    ...(several ? [student] : []),
    ...settings.map((key) => ({
      key,
      title: key.replace(/^method\./, ""),
      value: (row) => settingOf(snapshot, row, key),
    })),
    {
      key: "mean",
      title: titleOf(metric),
      hint: meaningOf(metric),
      numeric: true,
      value: mean,
      text: (value, row) => spread(snapshot, metric, value, row.spread),
    },
    {
      key: "none",
      title: "To none",
      numeric: true,
      hint: `${titleOf(metric)} less that of the same student trained alone`,
      value: (row) => toNone(snapshot, metric, row),
      text: (value) => signed(shownValue(metric, value)),
    },
    { key: "n", title: "Seeds", numeric: true, text: (value, row) => seeds(row) },
    {
      key: "best",
      title: "Best",
      numeric: true,
      value: (row) => snapshot.pick(row.best, metric),
      text: (v) => metricText(metric, v),
    },
    {
      key: "last",
      title: "Last",
      numeric: true,
      value: (row) => snapshot.pick(row.last_mean, metric),
      text: (value, row) => spread(snapshot, metric, value, row.last_spread),
    },
    ...(rows.some((row) => isNumber(row.test)) ? [test] : []),
    ...(rows.some((row) => isNumber(row.to_paper)) ? [paper] : []),
    ...others.map((key) => ({
      key,
      title: titleOf(key),
      hint: meaningOf(key),
      numeric: true,
      value: (row) => snapshot.pick(row.mean, key),
      text: (value) => metricText(key, value),
    })),
    { key: "gpu_hours", title: "GPU-h", numeric: true, text: number },
    ...telling(rows).map(({ id, title, unit, text, of }) => ({
      key: id,
      title,
      hint: `The detector's ${unit}`,
      numeric: true,
      value: of,
      text,
    })),
    ...(several ? [] : [student]),
    {
      key: "statuses",
      title: "States",
      value: (row) =>
        Object.entries(row.statuses)
          .map(([s, n]) => `${n} ${s}`)
          .join(", "),
      node: (value) => h("span", { class: "whole" }, value),
    },
  ];
}

function settingOf(snapshot, { runs }, key) {
  const trial = snapshot.byRun.get(runs[0]);
  const value = trial && snapshot.params(trial)[key];
  return isNumeric(value) ? Number(value) : value;
}

function label(value, row) {
  const kind = row.kind === "distilled" ? "" : ` (${row.kind})`;
  return h(
    "a",
    { href: linkTo({ view: "curves", trials: row.runs.join(",") }), class: "row-link" },
    `${String(value).slice(0, 120)}${kind}`,
  );
}

function spread(snapshot, metric, value, spreads) {
  return around(metric, value, snapshot.pick(spreads, metric));
}

function around(metric, value, deviation) {
  const text = metricText(metric, value);
  return isNumber(deviation) ? `${text} ± ${metricText(metric, deviation)}` : text;
}

function toNone(snapshot, metric, row) {
  if (metric === snapshot.data.metric) return row.to_none;
  const none = snapshot.rows.find(({ key, group }) => key === row.none_key && group === row.group);
  const [own, other] = [snapshot.pick(row.mean, metric), snapshot.pick(none?.mean, metric)];
  return isNumber(own) && isNumber(other) ? own - other : null;
}

function toPaper(snapshot, value, row) {
  const cell = snapshot.paper.get(row.paper);
  const text = signed(shownValue(snapshot.data.metric, value));
  return cell
    ? h("span", { title: `${cell.table}: ${cell.detector}, ${cell.method}, AP ${cell.values.AP}` }, text)
    : text;
}
