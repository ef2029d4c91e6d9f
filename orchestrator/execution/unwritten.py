"""Keep files that the end of a run cannot write from hiding its results."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


class Unwritten:
    """Collect why files of a store could not be written; ``reason`` is the first one in a sentence, "" without any."""

    def __init__(self) -> None:
        self.reason = ""

    @contextlib.contextmanager
    def noting(self, path: Path) -> Iterator[None]:
        """Note an ``OSError`` of a block that writes to ``path`` instead of raising it."""
        try:
            yield
        except OSError as error:
            said = os.strerror(error.errno) if error.errno else str(error)
            self.reason = self.reason or f"cannot write to {path}: {said}; run again once that is mended"
