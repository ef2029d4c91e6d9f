// Each study at a glance: how far it is, how long it will take, what it found.

import { h } from "../dom.js";
import { counted, duration, isNumber, metricText, moment, number, titleOf } from "../format.js";
import { linkTo } from "../hash.js";
import { nameOf } from "../snapshot.js";
import { empty } from "../states.js";
import { table } from "../table.js";

const STATES = ["finished", "stopped", "running", "unfinished", "paused", "failed", "unknown"];
const DONE = new Set(["finished", "stopped", "failed"]);

export const view = {
  id: "overview",
  title: "Overview",
  lede: "Progress and best trial of each study.",
  render(context) {
    const { snapshot, study } = context;
    const shown = study ? [snapshot.byStudy.get(study)] : snapshot.studies;
    if (shown.length === 0) {
      return [
        notes(snapshot),
        empty(
          "No study is recorded yet",
          "Start one with ",
          h("code", {}, "stillhouse run STUDY"),
          "; it appears here with its first trial.",
        ),
      ];
    }
    return [notes(snapshot), ...shown.map((one) => card(one, context)), running(context)];
  },
};

function card(study, context) {
  const counts = study.counts ?? {};
  const begun = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const done = STATES.filter((state) => DONE.has(state)).reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  const planned = Math.max(study.planned ?? 0, begun);
  return h(
    "section",
    { class: "card", "data-study": study.id },
    h("h2", {}, h("a", { href: linkTo({ study: study.id, view: "leaderboard" }) }, study.name)),
    study.description && h("p", { class: "note clamp" }, study.description),
    bar(counts, planned),
    h("p", { class: "progress-text" }, `${done} of ${counted(planned, "trial")} ended`, states(counts)),
    h(
      "dl",
      { class: "facts" },
      fact(
        "Time left",
        isNumber(study.eta_s) ? `about ${duration(study.eta_s)}` : done === planned ? "none" : "not known yet",
      ),
      fact(`Best ${titleOf(context.snapshot.data.metric)}`, best(study, context)),
      fact("GPU-hours", number(study.gpu_hours)),
      fact("Started", moment(study.started)),
      fact("Experiment", study.experiment),
    ),
  );
}

function bar(counts, planned) {
  return h(
    "div",
    { class: "bar", "aria-hidden": "true" },
    STATES.filter((state) => counts[state]).map((state) => {
      const part = h("span", { class: `part ${state}` });
      part.style.width = `${(100 * counts[state]) / planned}%`;
      return part;
    }),
  );
}

function states(counts) {
  return h(
    "span",
    { class: "states" },
    STATES.filter((state) => counts[state]).map((state) =>
      h("span", { class: `mark ${state}` }, `${counts[state]} ${state}`),
    ),
  );
}

function fact(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

function best(study, { snapshot }) {
  const { metric } = snapshot.data;
  const winner = snapshot.byRun.get(study.best);
  if (!winner) return "no student is finished yet";
  return h(
    "span",
    {},
    h("b", { "data-best": "" }, metricText(metric, snapshot.best(winner, metric))),
    ` ${nameOf(winner)}`,
  );
}

function running({ snapshot, trials, metric }) {
  const rows = trials.filter(({ status }) => status === "running" || status === "unfinished" || status === "paused");
  if (rows.length === 0) return null;
  return h(
    "section",
    {},
    h("h2", {}, "Not ended yet"),
    table({
      id: "running",
      caption: "Trials that have not ended",
      rows,
      sortable: true,
      columns: [
        { key: "name", title: "Trial", value: nameOf },
        { key: "status", title: "State" },
        { key: "epoch", title: "Epoch", numeric: true, text: (value, row) => `${value ?? 0} of ${row.epochs ?? "?"}` },
        { key: "epoch_s", title: "An epoch takes", numeric: true, text: duration },
        {
          key: "last",
          title: `Last ${titleOf(metric)}`,
          numeric: true,
          value: (row) => snapshot.last(row, metric),
          text: (value) => metricText(metric, value),
        },
        { key: "started", title: "Started", text: moment },
      ],
    }),
  );
}

function notes(snapshot) {
  const found = snapshot.data.notes ?? [];
  return (
    found.length > 0 &&
    h(
      "ul",
      { class: "notice" },
      found.map((note) => h("li", {}, note)),
    )
  );
}
