// Say why there is nothing to see: nothing there yet, still reading, or an error.

import { h } from "./dom.js";
import { change, settings } from "./hash.js";

/** Return the state of a view with nothing to show, with what to do about it. */
export function empty(heading, ...advice) {
  return h("div", { class: "state empty" }, h("h2", {}, heading), h("p", {}, ...advice));
}

const FILTERS = ["methods", "states", "q", "pinned"];

/** Return the state of a view that shows no trial: since none is recorded, or since the filters let none through. */
export function filteredOut() {
  const wish = settings();
  if (!FILTERS.some((key) => wish[key])) return empty("No trial is recorded yet", "Rows appear with the first trial.");
  return h(
    "div",
    { class: "state empty" },
    h("h2", {}, "No trial passes the filters"),
    h("p", {}, clearing()),
  );
}

/** Return why there is no student to show among some trials: only the teacher has begun, or filters leave out the rest. */
export function withoutStudents(trials, ofStudy) {
  if (trials.length === 0) return filteredOut();
  if (ofStudy.some(({ role }) => role === "student"))
    return h("div", { class: "state empty" }, h("h2", {}, "The filters leave only teachers"), h("p", {}, clearing()));
  return empty("No student has begun yet", "The teacher is trained first; students appear with their first epoch.");
}

function clearing() {
  return h(
    "button",
    { type: "button", onclick: () => change(Object.fromEntries(FILTERS.map((key) => [key, null]))) },
    "Clear filters",
  );
}

/** Return the state of a view that waits for data. */
export function waiting(text) {
  return h("p", { class: "state", role: "status" }, text);
}

/** Return the state of a view that failed. */
export function failed(heading, reason) {
  return h("div", { class: "state error", role: "alert" }, h("h2", {}, heading), h("p", {}, reason));
}
