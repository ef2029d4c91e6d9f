// Bring artifacts of runs: by the server, or out of the page itself in an export.

import { ask, askText } from "./load.js";

const brought = new Map();

/** Return a run's JSON artifact, asked for once; null where there is none. */
export function artifactOf(snapshot, run, path) {
  const kept = snapshot.data.artifacts;
  if (kept || !snapshot.data.live) return Promise.resolve(kept?.[`${run}/${path}`] ?? null);
  const address = addressOf(run, path);
  if (!brought.has(address))
    brought.set(
      address,
      ask(address).catch(() => null),
    );
  return brought.get(address);
}

/** Return a run's text artifact, null where there is none; an export holds none. */
export function textOf(snapshot, run, path) {
  return snapshot.data.live ? askText(addressOf(run, path)).catch(() => null) : Promise.resolve(null);
}

/** Return the address of a run's picture, or null where the page holds none. */
export function pictureOf(snapshot, run, path) {
  const kept = snapshot.data.artifacts;
  if (!kept && snapshot.data.live) return addressOf(run, path);
  const data = kept?.[`${run}/${path}`];
  return typeof data === "string" && data.startsWith("data:image/jpeg;base64,") ? data : null;
}

/** Forget what was missing, so that a new revision is asked for it again. */
export function forgetArtifacts() {
  brought.clear();
}

function addressOf(run, path) {
  return `api/artifact?${new URLSearchParams({ run, path })}`;
}
