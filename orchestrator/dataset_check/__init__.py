"""Check a dataset: the quick findings that a plan shows, and the full examination of ``stillhouse data check``."""
