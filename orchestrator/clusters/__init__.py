"""Clusters: one description of machines, the files that others make clusters of, and what they cost."""
