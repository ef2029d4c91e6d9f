// Keep what is shown in the address, so that a view can be linked and the back button works.

const listeners = [];

/** Return the settings in the address; a list is written with commas. */
export function settings() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

/** Return the address of this page with some settings changed; null takes one out. */
export function linkTo(changes) {
  const wanted = new URLSearchParams(settings());
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") wanted.delete(key);
    else wanted.set(key, value);
  }
  return `#${wanted}`;
}

/** Change settings and show the result; `quietly` writes the address only. */
export function change(changes, { quietly = false } = {}) {
  history.replaceState(null, "", linkTo(changes));
  if (!quietly) listeners.forEach((listener) => listener());
}

/** Call a function whenever settings change, by a control or by the address. */
export function onChange(listener) {
  listeners.push(listener);
  addEventListener("hashchange", listener);
}

/** Return a setting that is a list; a part that nobody can have written so is taken as it stands. */
export function list(value) {
  return value ? value.split(",").map(decoded) : [];
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Return the setting for a list; commas within names are kept apart. */
export function joined(values) {
  return [...values].map(encodeURIComponent).join(",");
}
