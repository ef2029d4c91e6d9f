// Draw precision over recall, a line for each trial.

import { lines } from "./lines.js";
import { area, precisionsOf } from "./split_errors.js";
import { DASHES } from "./theme.js";

const TITLES = { iou50: "AP50", iou75: "AP75", mean: "AP" };

/** Return a figure with the curves of trials [{name, curves}], null where none has one. */
export function precisionChart({ id, trials, place, iou, about }) {
  const drawn = trials
    .map(({ name, curves }) => ({ name, precisions: precisionsOf(curves, place, iou) }))
    .filter(({ precisions }) => precisions !== null)
    .map(({ name, precisions }, index) => ({
      name: `${TITLES[iou]} ${(100 * area(precisions)).toFixed(1)}, ${name}`, // names are cut at their ends
      data: precisions.map((value, step) => [step / (precisions.length - 1), value]),
      lineStyle: { width: 2, type: DASHES[index % DASHES.length] },
    }));
  if (drawn.length === 0) return null;
  return lines({
    id,
    title: `Precision over recall, ${about}`,
    note: `the mean of a curve's 101 precisions is its ${TITLES[iou]}`,
    curves: drawn,
    x: "recall",
    y: "precision",
    low: 0,
    top: 1,
    decimals: 3,
  });
}
