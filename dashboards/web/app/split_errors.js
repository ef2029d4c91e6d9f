// Read what trials did on the whole validation split: precision over recall, and which classes they took for which.

import { artifactOf } from "./artifacts.js";
import { isNumber } from "./format.js";

export const IOUS = [["iou50", "0.5", 0.5], ["iou75", "0.75", 0.75], ["mean", "0.5 to 0.95, mean", 0.5]];
const MOST = 12; // classes that a matrix shows one by one
const RECALLS = 101;

/** Return a trial's curves and confusions, null for each that it has not recorded: those of an earlier release have none. */
export async function splitErrorsOf(snapshot, { run, trial }, index) {
  if (!index.curves?.includes(trial.id)) return { curves: null, confusions: null };
  const [curves, confusions] = await Promise.all([
    artifactOf(snapshot, run, "predictions/curves.json"),
    artifactOf(snapshot, run, "predictions/confusions.json"),
  ]);
  return { curves, confusions: Array.isArray(confusions?.cells) ? confusions : null };
}

/** Return the precisions at recalls 0, .01, ..., 1 of all classes together or of the one at a position, null without any. */
export function precisionsOf(curves, place, iou) {
  const found = (place === null ? curves?.whole : curves?.classes?.[place])?.[iou];
  return Array.isArray(found) && found.length === RECALLS && found.every(isNumber) ? found : null;
}

/** Return the area below a curve as COCO measures it: the mean of its precisions. */
export function area(precisions) {
  return precisions.reduce((sum, value) => sum + value, 0) / precisions.length;
}

/**
 * Return the confusions at an IoU and a score as {names, counts, right, pooled}: counts[i][j] of objects of the i-th name
 * and boxes of the j-th, the background last. Of many classes those with most mistakes stand by themselves, the others together.
 */
export function matrixOf(confusions, classes, iou, score) {
  const cells = confusions.cells[confusions.ious.indexOf(iou)] ?? [];
  const at = confusions.scores.indexOf(score);
  const known = cells.map(([truth, found, numbers]) => [truth, found, numbers[at] ?? 0]);
  const alone = ownRows(known, classes.length);
  const pooled = classes.length - alone.length;
  const names = [...alone.map((place) => classes[place]), ...(pooled > 0 ? [`${pooled} other classes`] : []), "background"];
  const placeOf = (label) => (label >= classes.length ? names.length - 1 : alone.includes(label) ? alone.indexOf(label) : names.length - 2);
  const counts = names.map(() => names.map(() => 0));
  const right = names.map(() => 0);
  for (const [truth, found, count] of known) {
    counts[placeOf(truth)][placeOf(found)] += count;
    if (truth === found) right[placeOf(truth)] += count;
  }
  return { names, counts, right, pooled };
}

/** Return the positions of the classes that have a row each: all, or those with most mistakes. */
function ownRows(cells, classes) {
  const all = Array.from({ length: classes }, (_, place) => place);
  if (classes <= MOST) return all;
  const mistakes = all.map(() => 0);
  for (const [truth, found, count] of cells) {
    if (truth === found) continue;
    for (const label of [truth, found]) if (label < classes) mistakes[label] += count;
  }
  return [...all].sort((a, b) => mistakes[b] - mistakes[a]).slice(0, MOST).sort((a, b) => a - b);
}
