"""Write log records as plain lines, safe to print and without secrets."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import TextIO

from orchestrator.core.printable import printable_lines
from orchestrator.core.redact import redacted

OURS = "orchestrator"


class PlainFormatter(logging.Formatter):
    """Format a log record as its message, safe to print and without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line or lines to write."""
        return printable_lines(redacted(super().format(record)))


class PresentStderr(logging.StreamHandler[TextIO]):
    """Write records to the present ``sys.stderr``: progress bars put themselves in its place while they are drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self.stream = sys.stderr
        super().emit(record)


def plain_handler() -> logging.Handler:
    """Return a handler that writes plain lines to stderr."""
    handler = PresentStderr()
    handler.setFormatter(PlainFormatter("%(message)s"))
    return handler


@contextlib.contextmanager
def lines_shown() -> Iterator[None]:
    """Show our own lines for the length of a block, in a process that has not set up logging for them.

    A notebook shows warnings at most, and neither a script that sets up nothing; a process with a set-up of its own that
    shows our lines is left as it is.
    """
    ours = logging.getLogger(OURS)
    if ours.isEnabledFor(logging.INFO) and ours.hasHandlers():
        yield
        return
    level, handler = ours.level, None if ours.hasHandlers() else plain_handler()
    ours.setLevel(logging.INFO)
    if handler is not None:
        ours.addHandler(handler)
    try:
        yield
    finally:
        ours.setLevel(level)
        if handler is not None:
            ours.removeHandler(handler)
