"""Sort failures into kinds, decide on retries, and record the events of a trial."""
