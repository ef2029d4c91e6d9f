"""Run one trial inside Ray Tune."""
