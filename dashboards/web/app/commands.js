// Show commands to type in a terminal, each with its purpose.

import { h } from "./dom.js";

/** Return a list of {command, purpose} with a button that copies each, and a note below. */
export function commands(steps, note) {
  return h(
    "div",
    { class: "next", id: "next" },
    h("h2", {}, "Next"),
    h(
      "ul",
      {},
      steps.map(({ command, purpose }) =>
        h("li", {}, h("code", {}, command), copier(command), h("span", { class: "note" }, ` ${purpose}`)),
      ),
    ),
    note && h("p", { class: "note" }, note),
  );
}

function copier(command) {
  if (!navigator.clipboard) return null; // browsers offer it to pages of this machine and to secure ones
  const copy = async ({ target }) => {
    try {
      await navigator.clipboard.writeText(command);
      target.textContent = "Copied";
    } catch {
      target.textContent = "Not allowed";
    }
  };
  return h("button", { type: "button", class: "tool", "aria-label": `Copy ${command}`, onclick: copy }, "Copy");
}
