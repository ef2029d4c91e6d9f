// What each loss term of a trial did: its size, its ratio to the detector's own losses, its share of the gradient.

import { bestFirst, chooseTrial } from "../choose.js";
import { h } from "../dom.js";
import { lines } from "../lines.js";
import { points } from "../snapshot.js";
import { empty, filteredOut } from "../states.js";

const FAMILIES = [
  ["loss/", "Loss by term", "Weighted, mean over the epoch's steps"],
  ["ratio/", "Ratio to the detector's own losses", "The weighted term as a multiple of their sum"],
  [
    "grad_share/",
    "Share of the gradient",
    "Of the gradient's norm at the pyramid features, on the epoch's first batch",
  ],
  ["weight/", "Weight", "At the epoch's last step, of terms whose weight changes in training"],
  ["focus/", "Focus", "Smallest fraction of anchors that carries nine tenths of the term's weight"],
];

export const view = {
  id: "terms",
  title: "Loss terms",
  lede: "A term of tiny ratio and large share of the gradient still trains the student.",
  curves: true,
  render(context) {
    const { snapshot, trials, wish } = context;
    if (trials.length === 0) return filteredOut();
    const students = trials.filter(({ role }) => role === "student");
    const distilled = students.filter(({ run }) => family(snapshot, run, "ratio/").length > 0);
    const { trial, control } = chooseTrial(
      "trial",
      "Trial",
      bestFirst(context, distilled.length > 0 ? distilled : trials),
      wish,
    );
    const figures = FAMILIES.map(([prefix, title, note]) => [prefix, title, note, family(snapshot, trial.run, prefix)])
      .filter(([, , , curves]) => curves.length > 0)
      .map(([prefix, title, note, curves]) =>
        lines({ id: `terms-${prefix.replace("/", "")}`, title, note, curves, height: 280 }),
      );
    if (figures.length === 0) return [control, empty("This trial recorded no losses by epoch", "Choose another one.")];
    return [h("div", { class: "controls" }, control), h("div", { class: "pairs" }, figures)];
  },
};

function family(snapshot, run, prefix) {
  return [...snapshot.curvesOf(run)]
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, curve]) => ({ name: name.slice(prefix.length), data: points(curve) }));
}
