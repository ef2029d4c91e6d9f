"""Run trained detectors on chosen images. ``trainers.schema.predictions`` defines the files that this writes."""
