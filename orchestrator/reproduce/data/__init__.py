"""Fetch, cut down or draw the data that a reproduction runs on."""
