// Which method is best: mean and spread over seeds, differences to `none` and to the paper, ranked only among equals.

import { choice, FACTS, groupNames, groupsShown } from "../choose.js";
import { costsOf, telling } from "../costs.js";
import { h } from "../dom.js";
import { boardOf } from "../filters.js";
import {
  counted,
  difference,
  isNumber,
  isNumeric,
  meaningOf,
  merit,
  metricText,
  NOTHING,
  number,
  shownValue,
  signed,
  titleOf,
} from "../format.js";
import { gainBar, gainScale, gainText } from "../gain_bar.js";
import { change, joined, linkTo, list } from "../hash.js";
import { withoutStudents } from "../states.js";
import { table } from "../table.js";

const OTHERS = 5; // further metrics beside the chosen one
const SECTIONS = 12;

export const view = {
  id: "leaderboard",
  title: "Leaderboard",
  group: "results",
  lede: "Each row averages trials that differ only in the seed. Only trials with equal training and evaluation are ranked together.",
  render(context) {
    const groups = groupsShown(context);
    if (groups.length === 0) return withoutStudents(context.trials, context.ofStudy);
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
  const { snapshot, runs, wish } = context;
  const rows = snapshot.rows.filter((row) => row.group === group.id && row.runs.some((run) => runs.has(run)));
  const all = columns(context, rows);
  const hidden = new Set(list(wish.hide));
  const keys = [...new Set(snapshot.studies.flatMap(({ searched }) => searched ?? []))];
  const by = keys.includes(wish.by) || wish.by === "method" ? wish.by : null;
  const shown = all.filter(({ key }) => !hidden.has(key));
  const best = bestRow(snapshot, rows);
  const one = (id, part) =>
    table({
      id,
      caption: `Leaderboard of ${group.label}`,
      rows: inRank(part).flatMap((row) => withOthers(snapshot, row)),
      columns: shown,
      sortable: true,
      rowClass: (row) => [row.kind, row.mark && "unended", !row.mark && row.key === best && "best"].filter(Boolean).join(" "),
    });
  return h(
    "section",
    { class: "group", "data-group": group.id },
    h("h2", { title: told(group) }, name),
    h("div", { class: "controls" }, columnMenu(group.id, all, hidden), grouping(keys, by)),
    by
      ? parts(snapshot, rows, by).map(([value, part], index) => [
          h("h3", {}, `${by.replace(/^method\./, "")} ${value} `, h("small", {}, counted(part.length, "row"))),
          one(`rows-${group.id}-${index}`, part),
        ])
      : one(`rows-${group.id}`, rows),
    h(
      "details",
      { class: "numbers", id: `how-${group.id}` },
      h("summary", {}, `${counted(rows.length, "row")}: how they are ranked`),
      h(
        "p",
        { class: "note" },
        "Mean ± sample standard deviation over finished seeds, of each seed's best epoch. " +
          "Rows share a rank where their difference is within Student's t (95 %) of the spread that all of them share; " +
          "where no seed was repeated there are no ranks. A line marked in brackets is one trial at its last evaluation: " +
          "it enters no mean and no rank. The bar of a gain is filled where its 95 % interval leaves out zero.",
      ),
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

/** Return all facts of a group, digests included, for those who point at its name. */
function told({ facts }) {
  return FACTS.map((fact) => `${fact}: ${facts[fact] ?? NOTHING}`).join("\n");
}

/** Return the key of the row to mark: that of the study's best student, of runs without a study the highest mean. */
function bestRow(snapshot, rows) {
  const answered = new Set(snapshot.studies.map(({ answer }) => answer?.row));
  const told = rows.filter(({ key }) => answered.has(key));
  if (told.length > 0) return highest(snapshot, told);
  return highest(snapshot, rows);
}

function highest(snapshot, rows) {
  const { metric } = snapshot.data;
  const mean = (row) => merit(metric, snapshot.pick(row.mean, metric));
  const ranked = rows.filter((row) => row.kind !== "teacher" && isNumber(mean(row))).sort((a, b) => mean(b) - mean(a));
  return ranked[0]?.key ?? null;
}

/** Return rows by the value of a setting, the teacher and the student alone, which lack it, first. */
function parts(snapshot, rows, by) {
  const found = new Map();
  for (const row of rows) {
    const value = row.kind === "distilled" ? (settingOf(snapshot, row, by) ?? NOTHING) : "not distilled";
    found.set(value, [...(found.get(value) ?? []), row]);
  }
  const last = (value) => (value === "not distilled" ? 0 : 1);
  return [...found].sort(([a], [b]) => last(a) - last(b) || String(a).localeCompare(String(b), "en", { numeric: true }));
}

function columnMenu(id, all, hidden) {
  const toggle = ({ target }) => {
    const boxes = [...target.closest("fieldset").querySelectorAll("input")];
    change({ hide: joined(boxes.filter(({ checked }) => !checked).map(({ value }) => value)) });
  };
  const open = h("details", { class: "menu", id: `columns-${id}` }, h("summary", {}, "Columns"));
  open.append(
    h(
      "fieldset",
      { class: "chips" },
      h("legend", { class: "unseen" }, "Columns"),
      all
        .filter(({ fixed }) => !fixed)
        .map(({ key, title }) =>
          h(
            "label",
            { class: "chip" },
            h("input", { type: "checkbox", id: `column-${id}-${key}`, value: key, checked: !hidden.has(key), onchange: toggle }),
            h("span", {}, title),
          ),
        ),
    ),
  );
  return open;
}

function grouping(keys, by) {
  if (keys.length === 0) return null;
  const options = [["", "nothing"], ["method", "method"], ...keys.map((key) => [key, key.replace(/^method\./, "")])];
  return choice("by", "Group by", options, by ?? "");
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
  const gainOf = (row) => ({ gain: toNone(snapshot, metric, row), interval: metric === selected ? row.gain_interval : [] });
  const scale = gainScale(rows.map(gainOf));
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
  const trials = rows.flatMap(({ runs }) => runs.map((run) => snapshot.byRun.get(run)).filter(Boolean));
  const [hours] = costsOf(trials);
  return [
    {
      key: "rank",
      title: "Rank",
      numeric: true,
      hint: `By ${titleOf(selected)}`,
      text: (value) => value ?? NOTHING,
    },
    { key: "label", title: "Trials", node: label, fixed: true },
    {
      key: "mean",
      title: titleOf(metric),
      hint: meaningOf(metric),
      numeric: true,
      fixed: true,
      value: mean,
      text: (value, row) => spread(snapshot, metric, value, row.spread),
    },
    {
      key: "statuses",
      title: "State",
      value: (row) => stateText(row),
      node: (value) => h("span", { class: "whole" }, value),
    },
    {
      key: "none",
      title: "To none",
      numeric: true,
      hint: `${titleOf(metric)} less that of the same student trained alone; the bar has the 95 % interval of the gain`,
      value: (row) => toNone(snapshot, metric, row),
      node: (value, row) =>
        h(
          "span",
          { class: "gain-cell", title: gainText(metric, gainOf(row)) },
          gainBar(gainOf(row), scale, metric),
          h("span", {}, difference(metric, value)),
        ),
    },
    { key: "n", title: "Seeds", numeric: true, text: (value, row) => seeds(row) },
    ...(several ? [student] : []),
    ...settings.map((key) => ({
      key,
      title: key.replace(/^method\./, ""),
      value: (row) => settingOf(snapshot, row, key),
    })),
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
    { key: "gpu_hours", title: hours.title, hint: "Mean of the row's trials", numeric: true, text: number },
    ...telling(rows).map(({ id, title, unit, text, of }) => ({
      key: id,
      title,
      hint: `The detector's ${unit}`,
      numeric: true,
      value: of,
      text,
    })),
    ...(several ? [] : [student]),
  ];
}

function stateText(row) {
  const words = { stopped: "stopped early" };
  return Object.entries(row.statuses)
    .map(([state, count]) => `${count} ${words[state] ?? state}`)
    .join(", ");
}

function settingOf(snapshot, { runs, method }, key) {
  if (key === "method") return method;
  const trial = snapshot.byRun.get(runs[0]);
  const value = trial && snapshot.params(trial)[key];
  return isNumeric(value) ? Number(value) : value;
}

function label(value, row) {
  const kind = row.kind === "distilled" ? "" : ` (${row.kind})`;
  return h(
    "a",
    { href: linkTo({ view: "trial", trials: row.runs.join(","), trial: null }), class: "row-link" },
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
