// Show how far a study is: a bar of its trials by state, and the same in words.

import { h } from "./dom.js";
import { counted, duration, isNumber } from "./format.js";

const STATES = ["finished", "stopped", "running", "unfinished", "paused", "failed", "unknown"];
const WORDS = { stopped: "stopped early" };
const DONE = new Set(["finished", "stopped", "failed"]);

/** Return a study's numbers of trials: planned, begun and ended. */
export function progressOf({ counts = {}, planned }) {
  const begun = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const ended = STATES.filter((state) => DONE.has(state)).reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  return { begun, ended, planned: Math.max(planned ?? 0, begun) };
}

/** Return the bar. */
export function progressBar(study) {
  const { planned } = progressOf(study);
  return h(
    "div",
    { class: "bar", "aria-hidden": "true" },
    present(study).map(([state, count]) => {
      const part = h("span", { class: `part ${state}` });
      part.style.width = `${(100 * count) / planned}%`;
      return part;
    }),
  );
}

/** Return how many trials have ended, and each state that occurs. */
export function progressText(study) {
  const { ended, planned } = progressOf(study);
  return h(
    "p",
    { class: "progress-text" },
    `${ended} of ${counted(planned, "trial")} ended`,
    h(
      "span",
      { class: "states" },
      present(study).map(([state, count]) => h("span", { class: `mark ${state}` }, `${count} ${WORDS[state] ?? state}`)),
    ),
  );
}

/** Return the time left in words. */
export function timeLeft(study) {
  const { ended, planned } = progressOf(study);
  if (isNumber(study.eta_s)) return `about ${duration(study.eta_s)}`;
  if (ended === planned) return "none, all trials have ended";
  return study.counts?.running ? "not known before the first epoch" : "nothing runs";
}

function present({ counts = {} }) {
  return STATES.filter((state) => counts[state]).map((state) => [state, counts[state]]);
}
