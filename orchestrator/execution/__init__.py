"""Run a plan: prepare this machine, start Ray, drive Ray Tune, and stop cleanly."""
