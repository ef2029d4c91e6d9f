// Show a confusion matrix as a table: a row for the objects of each class, a column for what they were taken for.

import { h } from "./dom.js";
import { counted, NOTHING, short } from "./format.js";
import { matrixOf } from "./split_errors.js";

const LONGEST = 24; // letters of a class in a heading
const STRONGEST = 40; // percent of colour in a cell that holds all of its row

/** Return the matrix of one trial with precision and recall of each class. */
export function confusionTable({ id, heading, confusions, classes, iou, score }) {
  const { names, counts, right } = matrixOf(confusions, classes, iou, score);
  const last = names.length - 1;
  const objects = counts.map((row) => sum(row));
  const boxes = names.map((_, j) => sum(counts.map((row) => row[j])));
  const caption = `${heading}: objects by row, boxes of a score of at least ${score} by column, at an IoU of ${iou}`;
  return h(
    "figure",
    { class: "confusion" },
    h("figcaption", {}, h("b", {}, heading)),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      h(
        "table",
        { id },
        h("caption", { class: "unseen" }, caption),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, "Object"),
            names.map((name, j) => h("th", { scope: "col", class: "number", title: j === last ? "objects that no box met" : name }, j === last ? "missed" : short(name, LONGEST))),
            h("th", { scope: "col", class: "number" }, "recall"),
          ),
        ),
        h(
          "tbody",
          {},
          names.map((name, i) =>
            h(
              "tr",
              {},
              h("th", { scope: "row", title: i === last ? "boxes that met no object" : name }, i === last ? "nothing there" : short(name, LONGEST)),
              counts[i].map((count, j) => cell(count, i, j, { names, last, objects, boxes, right })),
              h("td", { class: "number" }, i === last ? "" : share(right[i], objects[i])),
            ),
          ),
          h(
            "tr",
            { class: "sums" },
            h("th", { scope: "row" }, "precision"),
            names.map((_, j) => h("td", { class: "number" }, j === last ? "" : share(right[j], boxes[j]))),
            h("td", {}),
          ),
        ),
      ),
    ),
  );
}

function cell(count, i, j, { names, last, objects, boxes, right }) {
  if (i === last && j === last) return h("td", {});
  const whole = i === last ? boxes[j] : objects[i];
  const kind = i === j ? "right" : "wrong";
  const made = h("td", { class: `number ${kind}`, title: said(count, whole, i, j, { names, last, right }) }, count.toLocaleString("en"));
  if (whole > 0) made.style.setProperty("--share", `${((STRONGEST * count) / whole).toFixed(1)}%`);
  return made;
}

function said(count, whole, i, j, { names, last, right }) {
  const of = (...noun) => `${count} of ${counted(whole, ...noun)}`;
  if (i === last) return `${of("box", "boxes")} of ${names[j]} met no object`;
  if (j === last) return `${of("object")} of ${names[i]} missed`;
  if (i !== j) return `${of("object")} of ${names[i]} taken for ${names[j]}`;
  return right[i] === count ? `${of("object")} of ${names[i]} found` : `${right[i]} found, ${count - right[i]} taken for another of these classes`;
}

function share(part, whole) {
  return whole > 0 ? `${((100 * part) / whole).toFixed(0)} %` : NOTHING;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
