"""Keep copies of trials in object storage: the store stays a folder."""
