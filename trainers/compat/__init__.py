"""Adapt to private parts of other packages."""
