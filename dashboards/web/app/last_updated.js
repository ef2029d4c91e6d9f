// Say how old the numbers are, and when the server no longer answers.

import { moment } from "./format.js";

/** Write the age of the snapshot into the page's head. */
export function lastUpdated(snapshot, error) {
  const place = document.getElementById("freshness");
  const text = words(snapshot, error);
  place.classList.toggle("stale", Boolean(error));
  if (place.textContent !== text) place.textContent = text;
}

function words(snapshot, error) {
  if (!snapshot) return error ? error.message : "";
  const when = moment(snapshot.data.generated_at);
  if (!snapshot.data.live) return `Exported ${when}; this file does not change`;
  if (error) return `These numbers are of ${when}: ${error.message}`;
  return `Up to date, ${when}`;
}
