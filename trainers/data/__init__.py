"""Build datasets, pipelines and the data stream."""
