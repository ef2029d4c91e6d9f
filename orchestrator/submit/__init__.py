"""Submit a study to a Ray cluster as a job, and track its outcome."""
