"""Prove, folder by folder of mmdet's configs, that a study can train the detectors, and write the table in the docs."""
