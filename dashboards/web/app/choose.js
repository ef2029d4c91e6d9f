// Choose one thing of several within a view: a group, a trial, a metric.

import { h } from "./dom.js";
import { counted, isNumber, merit } from "./format.js";
import { change } from "./hash.js";
import { markedName } from "./snapshot.js";

export const FACTS = ["data", "evaluation", "schedule", "batch", "teacher"];
const NAMED = ["data", "schedule", "teacher"];
const UNKNOWN = "not recorded";
const DIGEST = / ?\(?\b[0-9a-f]{8,64}\b\)?/g;

/** Return a labelled list to choose from; the choice stands in the address under `key`. `options` are [value, name]. */
export function choice(key, title, options, value) {
  const box = h(
    "select",
    { id: `choose-${key}`, onchange: ({ target }) => change({ [key]: target.value }) },
    options.map(([id, name]) => h("option", { value: id }, String(name).slice(0, 120))),
  );
  box.value = value ?? "";
  return h("label", { class: "choice" }, h("span", {}, title), box);
}

/**
 * Return what to call each group: the facts in which it differs from the others; where it is alone, its data, schedule
 * and teacher. Digests are left to the tooltip, except where nothing else tells groups apart.
 */
export function groupNames(groups) {
  const known = groups.filter(({ facts }) => FACTS.some((fact) => facts[fact] !== UNKNOWN));
  const telling = FACTS.filter((fact) => new Set(known.map(({ facts }) => facts[fact])).size > 1);
  const words = ({ facts }, which, plain) =>
    which
      .filter((fact) => facts[fact] !== UNKNOWN)
      .map((fact) => (/^\d+$/.test(facts[fact]) ? `${fact} ${facts[fact]}` : plain(facts[fact])))
      .join(" · ");
  const shown = (group) => words(group, telling.length > 0 ? telling : NAMED, withoutDigests) || withoutDigests(group.label);
  const times = new Map();
  for (const group of known) times.set(shown(group), (times.get(shown(group)) ?? 0) + 1);
  const name = (group) => (times.get(shown(group)) === 1 ? shown(group) : words(group, telling, String) || group.label);
  return new Map(groups.map((group) => [group.id, known.includes(group) ? name(group) : group.label]));
}

function withoutDigests(text) {
  return text.replace(DIGEST, "").trim() || text;
}

/** Return the groups that hold a trial that passes the filters. */
export function groupsShown({ snapshot, runs }) {
  return snapshot.groups.filter((group) => [...group.runs, ...group.baselines].some((run) => runs.has(run)));
}

/** Return the chosen group (the largest to begin with) and the control, which is left out where there is one group. */
export function chooseGroup(context) {
  const groups = groupsShown(context);
  const size = ({ runs }) => runs.filter((run) => context.runs.has(run)).length;
  const group =
    groups.find(({ id }) => id === context.wish.group) ?? [...groups].sort((a, b) => size(b) - size(a))[0] ?? null;
  const control =
    groups.length > 1
      ? h(
          "div",
          { class: "controls" },
          choice("group", "Trials that may be compared", [...groupNames(groups)], group.id),
          h(
            "p",
            { class: "note" },
            `${counted(groups.length - 1, "other group")} ${groups.length === 2 ? "differs" : "differ"} in training or evaluation.`,
          ),
        )
      : null;
  return { group, control };
}

/**
 * Return trials with the best first: distilled students, then those trained alone, then teachers; of each those that count
 * before those that do not.
 */
export function bestFirst({ snapshot }, trials) {
  const { metric } = snapshot.data; // of any other nobody said whether more is better
  const kind = ({ role, method }) => (role === "teacher" ? 2 : Number(method === "none"));
  const value = (trial) => (isNumber(snapshot.best(trial, metric)) ? merit(metric, snapshot.best(trial, metric)) : -Infinity);
  const place = (trial) => 2 * kind(trial) + Number(!trial.counts);
  return [...trials].sort((a, b) => place(a) - place(b) || value(b) - value(a) || 0);
}

/** Return the chosen trial of some (the first to begin with) and the control. */
export function chooseTrial(key, title, trials, wish) {
  const trial = trials.find(({ run }) => run === wish[key]) ?? trials[0] ?? null;
  return {
    trial,
    control: choice(
      key,
      title,
      trials.map((found) => [found.run, markedName(found)]),
      trial?.run,
    ),
  };
}
