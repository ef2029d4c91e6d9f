// Draw boxes over an image. Kinds differ in colour and in the line: right solid, wrong dashed, missed dotted.

import { h, svg } from "./dom.js";

const KINDS = { tp: "right", fp: "wrong", ignored: "ignored", truth: "truth", missed: "missed" };
const LABELS = 26; // lines of text that would fill a square picture

/**
 * Return a picture with boxes and `set(threshold)`, which shows the boxes of at least that score and returns the counts.
 * `found` is a trial's answer about this image; without one, the annotated objects are drawn.
 */
export function panel({ heading, address, picture, found, classes, summary }) {
  const drawn = found
    ? detections(picture, found, classes)
    : picture.truth.map((truth) => boxOf(picture, truth.box, "truth", classes[truth.label]));
  const missed = found
    ? picture.truth.map((truth) => boxOf(picture, truth.box, "missed", `missed ${classes[truth.label] ?? ""}`))
    : [];
  const said = h("p", { class: "note", "data-said": "" });
  const layer = svg(
    "svg",
    { viewBox: `0 0 ${picture.shown_width} ${picture.shown_height}`, "aria-hidden": "true" },
    missed,
    drawn,
  );
  const image = address
    ? h("img", {
        src: address,
        alt: `${heading}: image ${picture.key}`,
        width: picture.shown_width,
        height: picture.shown_height,
      })
    : h("div", { class: "no-image" }, "The image is not in this file");
  const set = (threshold) => {
    const counts = found ? count(picture, found, threshold) : null;
    if (counts) {
      drawn.forEach((box, index) => box.toggleAttribute("hidden", found.scores[index] < threshold));
      missed.forEach((box, index) => box.toggleAttribute("hidden", !counts.missedObjects.has(index)));
    }
    said.textContent = counts ? summary(counts) : `${picture.truth.filter(({ ignore }) => !ignore).length} objects`;
  };
  return {
    node: h(
      "figure",
      { class: "panel" },
      h("figcaption", {}, h("b", {}, heading)),
      h("div", { class: "picture" }, image, layer),
      said,
    ),
    set,
  };
}

/** Count right, wrong and missed among boxes of at least a score; matching goes by falling score, so it holds at any. */
export function count(picture, found, threshold) {
  const shown = found.scores.map((score) => score >= threshold);
  const of = (kind) => found.kinds.filter((each, index) => each === kind && shown[index]).length;
  const met = new Set(
    found.matches.filter((match, index) => match !== null && shown[index] && found.kinds[index] === "tp"),
  );
  const missedObjects = new Set(
    [...picture.truth.keys()].filter((index) => !picture.truth[index].ignore && !met.has(index)),
  );
  return { right: of("tp"), wrong: of("fp"), missed: missedObjects.size, missedObjects };
}

function detections(picture, found, classes) {
  return found.boxes.map((box, index) =>
    boxOf(picture, box, found.kinds[index], `${classes[found.labels[index]] ?? "?"} ${found.scores[index].toFixed(2)}`),
  );
}

function boxOf(picture, [x1, y1, x2, y2], kind, text) {
  const [wide, high] = [picture.shown_width / picture.width, picture.shown_height / picture.height];
  const [x, y, size] = [x1 * wide, y1 * high, picture.shown_width / LABELS];
  return svg(
    "g",
    { class: `box ${KINDS[kind] ?? "ignored"}` },
    svg("rect", { x, y, width: Math.max(0, (x2 - x1) * wide), height: Math.max(0, (y2 - y1) * high) }),
    svg("text", { x: x + 2, y: y < size ? y + size : y - size / 4, "font-size": size, "stroke-width": size / 5 }, text),
  );
}
