// Draw boxes over an image. Kinds differ in colour and in the line: right solid, wrong dashed, missed dotted.

import { h, svg } from "./dom.js";
import { counted } from "./format.js";

const KINDS = { tp: "right", fp: "wrong", ignored: "ignored", truth: "truth", missed: "missed" };
const LABELS = 20; // lines of text that would fill a square picture
const LETTER = 0.56; // width of a letter as a multiple of its height, about

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
        alt: `${heading}: image ${picture.id || picture.key}`,
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
    placeLabels([...drawn, ...missed], picture);
    said.textContent = counts ? summary(counts) : counted(picture.truth.filter(({ ignore }) => !ignore).length, "object");
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
  const [width, height] = [Math.max(0, (x2 - x1) * wide), Math.max(0, (y2 - y1) * high)];
  const label = svg("text", { "font-size": size, "stroke-width": size / 5 }, text);
  const group = svg("g", { class: `box ${KINDS[kind] ?? "ignored"}` }, svg("rect", { x, y, width, height }), label);
  group.place = { label, x, size, wide: LETTER * size * text.length, lines: linesFor(y, y + height, size) };
  return group;
}

/** Return the heights at which a box's label may stand: above its upper edge, below it, and the same at the lower one. */
function linesFor(top, bottom, size) {
  return [top - size / 4, top + size, bottom + size, bottom - size / 4];
}

/** Put each shown box's label, in the boxes' order, where it covers no other one; one that finds no place is left out. */
function placeLabels(boxes, picture) {
  const taken = [];
  for (const { place } of boxes.filter((box) => !box.hasAttribute("hidden"))) {
    const x = Math.max(2, Math.min(place.x + 2, picture.shown_width - place.wide - 2));
    const free = place.lines.find(
      (y) =>
        y >= place.size && y <= picture.shown_height && !taken.some((other) => covers(other, { ...place, x, y })),
    );
    place.label.toggleAttribute("hidden", free === undefined);
    if (free === undefined) continue;
    place.label.setAttribute("x", x);
    place.label.setAttribute("y", free);
    taken.push({ ...place, x, y: free });
  }
}

function covers(one, other) {
  return one.x < other.x + other.wide && other.x < one.x + one.wide && Math.abs(one.y - other.y) < one.size;
}
