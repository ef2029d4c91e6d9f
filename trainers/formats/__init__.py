"""Read weights from files in the formats that detectors come in."""
