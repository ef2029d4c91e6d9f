"""Decide which points are tried, which trials go on, and when a study has had enough; remember every decision."""
