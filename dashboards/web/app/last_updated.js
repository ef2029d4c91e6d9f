// Say how old the numbers are, by their own age, and when the server no longer answers.

import { ago, moment } from "./format.js";

const FRESH_S = 60; // the page asks every ten seconds
const TICK_MS = 5000;
let shown = null; // {snapshot, error, age, read}: the age that the numbers had when they were read, by the page's own clock

/** Write the age of the snapshot into the page's head, and keep it true; `age` is in seconds, null where it is not known. */
export function lastUpdated(snapshot, error, age = null) {
  const kept = shown?.snapshot === snapshot && age === null ? shown : null;
  shown = { snapshot, error, age: kept?.age ?? age, read: kept?.read ?? performance.now() };
  write();
}

/** Return how old the shown numbers are by now, in seconds; null where nothing is shown or their age is not known. */
export function ageNow() {
  if (!shown || shown.age === null) return null;
  return shown.age + (performance.now() - shown.read) / 1000;
}

/** Write the age anew as it grows. */
export function keepAge() {
  setInterval(write, TICK_MS);
}

function write() {
  if (!shown) return;
  const place = document.getElementById("freshness");
  const text = words(shown);
  place.classList.toggle("stale", Boolean(shown.error) || (shown.snapshot?.data.live && ageNow() > FRESH_S));
  if (place.textContent !== text) place.textContent = text;
}

function words({ snapshot, error }) {
  if (!snapshot) return error ? error.message : "";
  const when = moment(snapshot.data.generated_at);
  if (!snapshot.data.live) return `Exported ${when}; this file does not change`;
  if (error) return `These numbers are of ${when}: ${error.message}`;
  const age = ageNow();
  if (age === null) return `Read ${when}`;
  return age > FRESH_S ? `These numbers are of ${when}, ${ago(age)}; asking for newer ones` : `Up to date, ${when}`;
}
