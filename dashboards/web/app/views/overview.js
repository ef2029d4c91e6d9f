// The morning page: of several studies a row each, of one study all that is asked first.

import { h } from "../dom.js";
import { gainBar, gainScale, gainText } from "../gain_bar.js";
import { counted, hoursOf, isNumber, metricText, moment, NOTHING, number, titleOf } from "../format.js";
import { linkTo } from "../hash.js";
import { progressBar, progressOf, progressText, timeLeft } from "../progress_bar.js";
import { spark } from "../spark.js";
import { empty } from "../states.js";
import { studyPage } from "../study_page.js";
import { table } from "../table.js";

export const view = {
  id: "overview",
  title: "Overview",
  group: "results",
  lede: "Did it help, how sure is that, what did it cost, and what is next.",
  curves: (context) => Boolean(pageOf(context)) && "later",
  heading: (context) => pageOf(context)?.name ?? "Overview",
  render(context) {
    const { snapshot } = context;
    if (snapshot.studies.length === 0)
      return [
        notes(snapshot),
        empty(
          "No study is recorded yet",
          "Start one with ",
          h("code", {}, "stillhouse run STUDY"),
          "; it appears here with its first trial.",
        ),
      ];
    const study = pageOf(context);
    return [notes(snapshot), study ? studyPage(study, context) : studies(context)];
  },
};

/** Return the study whose page is shown: the chosen one, or the only one. */
function pageOf({ snapshot, study }) {
  if (study) return snapshot.byStudy.get(study);
  return snapshot.studies.length === 1 ? snapshot.studies[0] : null;
}

function studies({ snapshot }) {
  const { metric } = snapshot.data;
  const rows = [...snapshot.studies].sort((a, b) => when(b) - when(a));
  const scale = gainScale(rows.map(gainOf));
  return h(
    "section",
    {},
    h("p", { class: "note" }, `${counted(rows.length, "study", "studies")}, the one that was run last first.`),
    table({
      id: "studies",
      caption: "Studies",
      rows,
      sortable: true,
      rowMark: ({ id }) => id,
      columns: [
        { key: "name", title: "Study", node: (name, study) => link(study) },
        {
          key: "gain",
          title: "Gain over none",
          hint: "Of the best student's row over the same student trained alone, with its 95 % confidence interval",
          value: (study) => gainOf(study).gain,
          node: (_, study) => gainCell(study, metric, scale),
        },
        {
          key: "best",
          title: `Best ${titleOf(metric)}`,
          numeric: true,
          value: (study) => bestOf(snapshot, study),
          text: (value) => metricText(metric, value),
        },
        { key: "spark", title: "Curve", value: () => null, node: (_, study) => spark(study.spark) ?? NOTHING },
        {
          key: "state",
          title: "State",
          value: (study) => progressOf(study).ended,
          node: (_, study) =>
            h("div", { class: "state-cell" }, progressBar(study), progressText(study), left(study)),
        },
        {
          key: "gpu_hours",
          title: "Cost",
          value: (study) => study.gpu_hours,
          node: (value, study) => h("span", { class: "whole" }, `${number(value)} ${hoursOf(study.on_gpu)}`),
        },
        { key: "run_at", title: "Last run", value: when, text: moment, whole: true },
      ],
    }),
  );
}

function link(study) {
  return h(
    "span",
    { class: "study-cell" },
    h("a", { href: linkTo({ study: study.id, view: "overview" }), class: "study-link" }, study.name.slice(0, 120)),
    study.description && h("span", { class: "note clamp" }, study.description),
  );
}

function gainCell(study, metric, scale) {
  const gain = gainOf(study);
  if (study.answer?.kind === "baseline") return "none: the student alone is best";
  if (!isNumber(gain.gain)) return NOTHING;
  const [text, interval] = gainText(metric, gain).split(" (");
  return h(
    "span",
    { class: "study-gain" },
    h("span", { class: "gain-cell" }, gainBar(gain, scale, metric), h("span", {}, text)),
    h("span", { class: "note" }, interval ? `95 %: ${interval.replace(")", "")}` : "one seed"),
  );
}

/** Return the time left of a study of which something runs. */
function left(study) {
  return study.counts?.running > 0 && h("p", { class: "progress-text" }, `Time left: ${timeLeft(study)}`);
}

function gainOf({ answer }) {
  return { gain: answer?.gain ?? null, interval: answer?.gain_interval ?? [] };
}

function bestOf(snapshot, study) {
  const winner = snapshot.byRun.get(study.best);
  return winner ? snapshot.best(winner, snapshot.data.metric) : null;
}

function when(study) {
  return study.run_at ?? study.started ?? 0;
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
