"""Build mmdet detectors from configs and overrides."""
