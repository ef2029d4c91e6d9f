// Tell incidents from trials that were stopped on purpose.

/** Tell whether an event is an incident; a snapshot of an earlier release does not say so of early stops. */
export function isFailure({ failure, kind }) {
  return failure ?? kind !== "stopped";
}
