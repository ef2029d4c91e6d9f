"""Name the modules that training processes import. They are named by strings, so that drivers stay free of torch."""

WORKER = "trainers.worker"
LOOP = "trainers.loop.loop"
