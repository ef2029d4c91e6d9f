// Say why there is nothing to see: nothing there yet, still reading, or an error.

import { h } from "./dom.js";
import { change } from "./hash.js";

/** Return the state of a view with nothing to show, with what to do about it. */
export function empty(heading, ...advice) {
  return h("div", { class: "state empty" }, h("h2", {}, heading), h("p", {}, ...advice));
}

/** Return the state of a view whose filters let nothing through. */
export function filteredOut() {
  return h(
    "div",
    { class: "state empty" },
    h("h2", {}, "No trial passes the filters"),
    h(
      "p",
      {},
      h(
        "button",
        { type: "button", onclick: () => change({ methods: null, states: null, q: null, pinned: null }) },
        "Clear filters",
      ),
    ),
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
