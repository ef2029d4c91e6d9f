"""Hand a study to a Ray cluster as a job, and know afterwards what became of it."""
