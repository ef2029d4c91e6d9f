// Show what has to be brought first, without a jump of the page or a lost focus where it was shown before.

import { h } from "./dom.js";
import { failed, waiting } from "./states.js";

/**
 * Return an element that waits until `fill`, which gets it, has filled it. While it waits it is as high as the one of the
 * same id before it, and afterwards the control of the same id has the focus again.
 */
export function filledLater({ id, text, fill, failure }) {
  const height = document.getElementById(id)?.offsetHeight ?? 0;
  const focused = document.activeElement?.id;
  const place = h("div", { id }, waiting(text));
  place.style.minHeight = `${height}px`;
  fill(place)
    .catch((error) => place.replaceChildren(failed(failure, error.message)))
    .finally(() => {
      place.style.minHeight = "";
      if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus({ preventScroll: true });
    });
  return place;
}
