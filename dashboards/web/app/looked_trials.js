// Choose among the trials that looked at images.

import { h } from "./dom.js";
import { change, joined, list } from "./hash.js";
import { lookedAt } from "./prediction_files.js";

const COLUMNS = 4;

/** Return all trials that looked at the images of an index, and those that are shown: the first ones where none is named. */
export function seen({ snapshot, wish }, found) {
  const all = lookedAt(snapshot, found);
  const named = new Set(list(wish.seen));
  const shown = named.size > 0 ? all.filter(({ run }) => named.has(run)) : all.slice(0, COLUMNS);
  return { all, shown };
}

/** Return the boxes that choose them; the choice stands in the address. */
export function trialChips({ all, shown }) {
  const toggle = ({ target }) =>
    change({
      seen: joined([...target.closest("fieldset").querySelectorAll("input:checked")].map(({ value }) => value)),
    });
  return h(
    "fieldset",
    { class: "chips" },
    h("legend", {}, "Trials"),
    all.map(({ run, name }) =>
      h(
        "label",
        { class: "chip" },
        h("input", {
          type: "checkbox",
          id: `seen-${run}`,
          value: run,
          checked: shown.some((each) => each.run === run),
          onchange: toggle,
        }),
        h("span", {}, name.slice(0, 60)),
      ),
    ),
  );
}
