// Draw the loss terms of a trial: their size, their ratio to the detector's losses, their share of the gradient.

import { along } from "./line_controls.js";
import { lines } from "./lines.js";

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

/** Return a chart for each family of values that a run has recorded. */
export function termCharts(snapshot, run, look) {
  return FAMILIES.map(([prefix, title, note]) => [prefix, title, note, family(snapshot, run, prefix, look)])
    .filter(([, , , curves]) => curves.length > 0)
    .map(([prefix, title, note, curves]) =>
      lines({ id: `terms-${prefix.replace("/", "")}`, title, note, curves, height: 280, y: title.toLowerCase(), look }),
    );
}

/** Tell whether a run has recorded how terms compare with the detector's losses: a distilled one has. */
export function hasTerms(snapshot, run) {
  return [...snapshot.curvesOf(run).keys()].some((name) => name.startsWith("ratio/"));
}

function family(snapshot, run, prefix, look) {
  return [...snapshot.curvesOf(run).keys()]
    .filter((name) => name.startsWith(prefix))
    .map((name) => ({ name: name.slice(prefix.length), data: along(snapshot, run, name, 1, look) }));
}
