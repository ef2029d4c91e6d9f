"""Build detectors once, before anything is trained with them."""
