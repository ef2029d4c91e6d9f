// What trials see: ground truth and detections side by side, under a threshold for the score (the paper's figure A2).

import { artifactOf, pictureOf } from "../artifacts.js";
import { panel } from "../boxes.js";
import { axis, chart } from "../chart.js";
import { choice } from "../choose.js";
import { h } from "../dom.js";
import { filledLater } from "../filled_later.js";
import { counted } from "../format.js";
import { change } from "../hash.js";
import { seen, trialChips } from "../looked_trials.js";
import { answersOf, mistakes, SCORE, withIndex } from "../prediction_files.js";
import { empty } from "../states.js";

const THRESHOLDS = [0.1, 0.3, 0.5]; // the paper's
const BINS = 20;
const SIZES = ["small", "medium", "large"];
const [SMALL, LARGE] = [32 ** 2, 96 ** 2]; // pixels: COCO's borders

export const view = {
  id: "predictions",
  title: "Predictions",
  group: "faults",
  lede: "Chosen images with the detections of each trial's best student above a score.",
  render(context) {
    return filledLater({
      id: "predictions",
      text: "Looking for predictions …",
      fill: (place) => fill(place, context),
      failure: "The predictions could not be read",
    });
  },
};

async function fill(place, context) {
  const { snapshot, study } = context;
  const found = await withIndex(snapshot, study ? [snapshot.byStudy.get(study)] : snapshot.studies);
  if (!found) {
    place.replaceChildren(
      empty("No predictions are recorded", "Record some with ", h("code", {}, "stillhouse predict STUDY"), "."),
    );
    return;
  }
  const trials = seen(context, found);
  const { images, judged } = await ordered(context, found, trials);
  const picture = images.find(({ key }) => key === context.wish.image) ?? images[0];
  if (!picture) {
    place.replaceChildren(choices(found.index, context.wish, judged), empty("No image has such an object", "Choose another class or size."));
    return;
  }
  const [answers, scores] = await Promise.all([
    bring(context, trials, `predictions/${picture.key}.json`),
    bring(context, trials, "predictions/scores.json"),
  ]);
  place.replaceChildren(
    choices(found.index, context.wish, judged),
    ...draw(context, { ...found, images }, trials, picture, answers, scores),
  );
}

/**
 * Return the images in the chosen order, those with objects of the chosen class and size only. The worst come first by the
 * mistakes of the last trial that is shown: the students stand behind the teacher.
 */
async function ordered({ snapshot, wish }, { index }, { shown }) {
  const fitting = index.images.filter((picture) => holds(picture, index, wish));
  const judged = shown.at(-1);
  if (wish.order !== "worst" || !judged) return { images: fitting, judged };
  const answers = await answersOf(snapshot, judged.run, index);
  const score = Number(wish.threshold ?? SCORE) || 0;
  const wrong = (picture) => mistakes(picture, answers.get(picture.key), score) ?? -1;
  return { images: [...fitting].sort((a, b) => wrong(b) - wrong(a)), judged };
}

function holds({ truth }, { classes }, { class: label, size }) {
  const fits = ({ box, label: own }) => (!label || classes[own] === label) && (!size || sizeOf(box) === size);
  return (!label && !size) || truth.some(fits);
}

/** Return the size of a box by COCO's areas. */
function sizeOf([x1, y1, x2, y2]) {
  const area = (x2 - x1) * (y2 - y1);
  return area < SMALL ? "small" : area < LARGE ? "medium" : "large";
}

function bring({ snapshot }, { shown }, path) {
  return Promise.all(shown.map(({ run }) => artifactOf(snapshot, run, path)));
}

function draw(context, { keeper, index, images }, trials, picture, answers, scores) {
  const address = pictureOf(context.snapshot, keeper.id, `predictions/images/${picture.key}.jpg`);
  const summary = ({ right, wrong, missed }) => `${right} right, ${wrong} wrong, ${missed} missed`;
  const one = (heading, found) => panel({ heading, address, picture, found, classes: index.classes, summary });
  const panels = [
    one("Ground truth", null),
    ...trials.shown.map(({ name }, i) =>
      answers[i]
        ? one(name, answers[i])
        : {
            node: h(
              "figure",
              { class: "panel" },
              h("figcaption", {}, h("b", {}, name)),
              h("p", { class: "note" }, "Not asked about this image"),
            ),
            set: () => {},
          },
    ),
  ];
  return [
    controls(images, picture, trials, threshold(context.wish, panels)),
    h(
      "p",
      { class: "note key" },
      h("span", { class: "key right" }, "right"),
      h("span", { class: "key wrong" }, "wrong"),
      h("span", { class: "key missed" }, "missed"),
      "at an IoU of 0.5, as COCO matches. ",
      h("kbd", {}, "←"),
      " and ",
      h("kbd", {}, "→"),
      " go through the images.",
    ),
    h(
      "div",
      { class: "panels" },
      panels.map(({ node }) => node),
    ),
    index.left_out > 0 && h("p", { class: "note" }, `${counted(index.left_out, "image")} did not fit into the budget.`),
    ...distributions(trials.shown, scores),
  ].filter(Boolean);
}

/** Return the choices of order, class and size. */
function choices({ classes }, wish, judged) {
  const worst = judged ? `worst of ${judged.name}` : "worst";
  return h(
    "div",
    { class: "controls" },
    choice("order", "Order", [["", "as recorded"], ["worst", worst.slice(0, 60)]], wish.order ?? ""),
    choice("class", "With a", [["", "object of any class"], ...classes.map((name) => [name, name])], wish.class ?? ""),
    choice("size", "Of size", [["", "any"], ...SIZES.map((size) => [size, size])], wish.size ?? ""),
  );
}

/** Go to the image before or after by the arrow keys, unless a control is being used. */
function onArrow({ key, target }) {
  const button = document.getElementById({ ArrowLeft: "image-previous", ArrowRight: "image-next" }[key] ?? "");
  if (button && !button.disabled && !target.closest("input, select, textarea, summary, table, .scroll")) button.click();
}

document.addEventListener("keydown", onArrow);

function controls(images, picture, trials, slider) {
  const at = images.indexOf(picture);
  const step = (by, text, id) =>
    h(
      "button",
      {
        type: "button",
        id,
        disabled: !images[at + by],
        onclick: () => change({ image: images[at + by].key }),
      },
      text,
    );
  return h(
    "div",
    { class: "controls" },
    choice(
      "image",
      "Image",
      images.map(({ key, id, file }, n) => [key, `${n + 1} of ${images.length} (${file || id || key})`]),
      picture.key,
    ),
    step(-1, "Previous", "image-previous"),
    step(1, "Next", "image-next"),
    slider,
    trialChips(trials),
  );
}

function threshold(wish, panels) {
  const said = h("output", { for: "threshold" });
  const slider = h("input", {
    type: "range",
    id: "threshold",
    min: "0",
    max: "1",
    step: "0.05",
    oninput: ({ target }) => set(Number(target.value)),
  });
  const set = (value) => {
    slider.value = String(value);
    said.textContent = value.toFixed(2);
    panels.forEach((each) => each.set(value));
    change({ threshold: value }, { quietly: true });
  };
  set(Number(wish.threshold ?? SCORE) || 0);
  return h(
    "div",
    { class: "slider" },
    h("label", { for: "threshold" }, "Score at least "),
    slider,
    said,
    THRESHOLDS.map((value) =>
      h("button", { type: "button", class: "quiet", onclick: () => set(value) }, value.toFixed(1)),
    ),
  );
}

function distributions(trials, scores) {
  const known = trials.map(({ name }, index) => ({ name, counts: scores[index] })).filter(({ counts }) => counts);
  if (known.length === 0) return [];
  const bins = Array.from({ length: BINS }, (_, n) => (n / BINS).toFixed(2));
  return [
    h("h2", {}, "Scores of right and wrong boxes"),
    h(
      "div",
      { class: "pairs" },
      known.map(({ name, counts }, index) =>
        chart({
          id: `scores-${index}`,
          title: name,
          height: 240,
          note: `${counted(counts.images, "image")}, ${counts.missed} of ${counted(counts.objects, "object")} missed`,
          options: (shade) => ({
            legend: {},
            grid: { left: 56, right: 16, top: 32, bottom: 44 },
            tooltip: { trigger: "axis" },
            xAxis: axis("score from", { type: "category", data: bins }),
            yAxis: axis("boxes", { type: "value", scale: false, minInterval: 1 }),
            series: [
              ["right", counts.tp, shade.series[2], "none"],
              ["wrong", counts.fp, shade.series[1], "rect"],
            ].map(([label, data, color, symbol]) => ({
              type: "bar",
              name: label,
              data,
              color,
              stack: "boxes",
              itemStyle: symbol === "rect" ? { decal: { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [3, 3] } } : {},
            })),
          }),
          numbers: () => ({
            rows: bins.map((from, n) => ({ from, tp: counts.tp[n], fp: counts.fp[n] })),
            columns: [
              { key: "from", title: "Score from", numeric: true },
              { key: "tp", title: "Right", numeric: true },
              { key: "fp", title: "Wrong", numeric: true },
            ],
          }),
        }),
      ),
    ),
  ];
}
