// What each loss term of a trial did: its size, its ratio to the detector's own losses, its share of the gradient.

import { bestFirst, chooseTrial } from "../choose.js";
import { h } from "../dom.js";
import { lineControls, lookOf } from "../line_controls.js";
import { empty, filteredOut } from "../states.js";
import { hasTerms, termCharts } from "../term_charts.js";

export const view = {
  id: "terms",
  title: "Loss terms",
  group: "training",
  lede: "A term of tiny ratio and large share of the gradient still trains the student.",
  curves: true,
  render(context) {
    const { snapshot, trials, wish } = context;
    if (trials.length === 0) return filteredOut();
    const students = trials.filter(({ role }) => role === "student");
    const distilled = students.filter(({ run }) => hasTerms(snapshot, run));
    const { trial, control } = chooseTrial(
      "trial",
      "Trial",
      bestFirst(context, distilled.length > 0 ? distilled : trials),
      wish,
    );
    const figures = termCharts(snapshot, trial.run, lookOf(wish));
    if (figures.length === 0)
      return [h("div", { class: "controls" }, control), empty("This trial recorded no losses by epoch", "Choose another one.")];
    return [h("div", { class: "controls" }, control), lineControls(wish), h("div", { class: "pairs" }, figures)];
  },
};
