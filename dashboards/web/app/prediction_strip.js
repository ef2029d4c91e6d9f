// Show the images on which two trials differ most, side by side.

import { pictureOf } from "./artifacts.js";
import { panel } from "./boxes.js";
import { bestFirst } from "./choose.js";
import { h } from "./dom.js";
import { linkTo } from "./hash.js";
import { answersOf, lookedAt, mistakes, SCORE, withIndex } from "./prediction_files.js";
import { failed, waiting } from "./states.js";

const SHOWN = 2; // images

/** Return a strip of pictures that fills when they are there: of the best distilled student and the one trained alone. */
export function predictionStrip(study, context) {
  const place = h("div", { class: "strip" }, waiting("Looking for predictions …"));
  fill(place, study, context).catch((error) => place.replaceChildren(failed("They could not be read", error.message)));
  return place;
}

async function fill(place, study, context) {
  const { snapshot } = context;
  const found = await withIndex(snapshot, [study]);
  const pair = found ? pairOf(context, lookedAt(snapshot, found)) : [];
  if (pair.length < 2) {
    place.replaceChildren(h("p", { class: "note" }, "Two students are needed that were asked about images."));
    return;
  }
  const answers = await Promise.all(pair.map(({ run }) => answersOf(snapshot, run, found.index)));
  const apart = found.index.images
    .map((picture) => ({ picture, errors: answers.map((of) => mistakes(picture, of.get(picture.key), SCORE)) }))
    .filter(({ errors }) => errors.every((count) => count !== null))
    .sort((a, b) => Math.abs(b.errors[0] - b.errors[1]) - Math.abs(a.errors[0] - a.errors[1]));
  place.replaceChildren(...apart.slice(0, SHOWN).map(({ picture }) => row(snapshot, study, found, pair, answers, picture)));
}

/** Return the best distilled student and the best one trained alone among those that looked, else the first two. */
function pairOf(context, looked) {
  const students = looked.filter(({ role }) => role === "student");
  const ordered = bestFirst(context, students.map(({ trial }) => trial));
  const entry = (trial) => looked.find(({ run }) => run === trial.run);
  const alone = ordered.find(({ method }) => method === "none");
  const distilled = ordered.find(({ method }) => method !== "none");
  return (alone && distilled ? [alone, distilled] : ordered.slice(0, 2)).map(entry);
}

function row(snapshot, study, { keeper, index }, pair, answers, picture) {
  const address = pictureOf(snapshot, keeper.id, `predictions/images/${picture.key}.jpg`);
  const summary = ({ right, wrong, missed }) => `${right} right, ${wrong} wrong, ${missed} missed`;
  const panels = pair.map(({ name }, at) =>
    panel({ heading: name, address, picture, found: answers[at].get(picture.key), classes: index.classes, summary }),
  );
  panels.forEach(({ set }) => set(SCORE));
  const seen = pair.map(({ run }) => run).join(",");
  return h(
    "a",
    { class: "strip-row", href: linkTo({ study: study.id, view: "predictions", image: picture.key, seen }) },
    panels.map(({ node }) => node),
  );
}
