"""Let trained detectors look at chosen images. ``trainers.spec.predictions`` defines the files that this writes."""
