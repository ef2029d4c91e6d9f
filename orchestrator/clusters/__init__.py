"""Describe clusters: one description of machines, the files that launchers read, and the price."""
