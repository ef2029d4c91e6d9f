// How precise trials are at each recall, and which classes they take for which, on the whole validation split.

import { choice } from "../choose.js";
import { confusionTable } from "../confusion_table.js";
import { h } from "../dom.js";
import { filledLater } from "../filled_later.js";
import { counted } from "../format.js";
import { seen, trialChips } from "../looked_trials.js";
import { precisionChart } from "../precision_chart.js";
import { SCORE, withIndex } from "../prediction_files.js";
import { IOUS, splitErrorsOf } from "../split_errors.js";
import { empty } from "../states.js";

export const view = {
  id: "precision",
  title: "Precision and recall",
  group: "faults",
  lede: "Precision over recall and the confusions of classes, of each trial's best student on the whole validation split.",
  render(context) {
    return filledLater({
      id: "precision",
      text: "Looking for curves …",
      fill: (place) => fill(place, context),
      failure: "The curves could not be read",
    });
  },
};

async function fill(place, context) {
  const { snapshot, study, wish } = context;
  const found = await withIndex(snapshot, study ? [snapshot.byStudy.get(study)] : snapshot.studies);
  const trials = found ? seen(context, found) : { all: [], shown: [] };
  const errors = await Promise.all(trials.shown.map((trial) => splitErrorsOf(snapshot, trial, found.index)));
  const shown = trials.shown.map((trial, index) => ({ ...trial, ...errors[index] }));
  const known = shown.filter(({ curves, confusions }) => curves || confusions);
  if (known.length === 0) {
    place.replaceChildren(nothing(found, trials), ...(trials.all.length > 0 ? [h("div", { class: "controls" }, trialChips(trials))] : []));
    return;
  }
  const { classes } = found.index;
  const label = classes.indexOf(wish.class);
  const [iou, said, matched] = IOUS.find(([id]) => id === wish.iou) ?? IOUS[0];
  const about = `${label < 0 ? "all classes" : classes[label].slice(0, 60)}, at an IoU of ${said}`;
  const chart = precisionChart({ id: "precision-curves", trials: known, place: label < 0 ? null : label, iou, about });
  place.replaceChildren(
    h(
      "div",
      { class: "controls" },
      choice("class", "Class", [["", "all together"], ...classes.map((name) => [name, name])], label < 0 ? "" : wish.class),
      choice("iou", "IoU", IOUS.map(([id, name]) => [id, name]), iou),
      trialChips(trials),
    ),
    chart ?? h("p", { class: "note" }, "The validation split has no object of this class."),
    ...matrices(known, classes, matched, wish),
    ...lacking(shown, known),
  );
}

function nothing(found, { all }) {
  const command = h("code", {}, "stillhouse predict STUDY");
  if (all.length === 0) return empty("No predictions are recorded", "Record some with ", command, ".");
  return empty("No curves are recorded of these trials", "Their predictions are of an earlier release, or were made without curves. Run ", command, " again.");
}

function matrices(known, classes, iou, wish) {
  const having = known.filter(({ confusions }) => confusions);
  if (having.length === 0) return [];
  const { scores, images } = having[0].confusions;
  const score = scores.find((value) => String(value) === wish.threshold) ?? SCORE;
  return [
    h("h2", {}, "Confusion matrix"),
    h("div", { class: "controls" }, choice("threshold", "Score at least", scores.map((value) => [String(value), value.toFixed(1)]), String(score))),
    h(
      "p",
      { class: "note" },
      `Boxes on ${counted(images, "image")} at an IoU of ${iou}, matched class by class as COCO does; then each other box takes, by falling score, an object of another class that is left.`,
    ),
    h(
      "div",
      { class: "pairs" },
      having.map(({ name, confusions }, index) => confusionTable({ id: `confusion-${index}`, heading: name, confusions, classes, iou, score })),
    ),
  ];
}

/** Name the chosen trials that have recorded no curves. */
function lacking(shown, known) {
  const names = shown.filter((trial) => !known.includes(trial)).map(({ name }) => name.slice(0, 60));
  return names.length > 0 ? [h("p", { class: "note" }, `Without curves: ${names.join(", ")}. Run stillhouse predict again.`)] : [];
}
