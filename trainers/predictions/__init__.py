"""Let trained detectors look at chosen images. ``trainers.schema.predictions`` defines the files that this writes."""
