"""Evaluate detectors with COCO and Pascal VOC metrics."""
