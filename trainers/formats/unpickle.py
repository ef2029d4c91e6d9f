"""Read the pickle inside a torch checkpoint: tensors, arrays and plain data become objects, all else stays inert."""

from typing import Any

from trainers.formats.rebuild import TABLE, fill
from trainers.schema.pickle_machine import Persistent, run_pickle
from trainers.schema.pickle_stream import PickleStream


def load_data(stream: PickleStream, persistent: Persistent) -> Any:
    """Return the object of the one pickle that ``stream`` stands at; see ``run_pickle``."""
    return run_pickle(stream, persistent, TABLE, fill)
