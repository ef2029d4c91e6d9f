"""Follow the log of a submission until it ends."""

import time
from collections.abc import Iterator

from orchestrator.core.errors import OperationError
from orchestrator.core.printable import printable_lines
from orchestrator.core.redact import redacted
from orchestrator.submit.submissions import Submissions

LOOK_S = 1.0
PATIENCE_S = 60.0  # with a cluster that does not answer any more


def shown(text: str) -> str:
    """Return a log's text, safe to print and without secrets."""
    return printable_lines(redacted(text))


def followed(submissions: Submissions, name: str) -> Iterator[str]:
    """Yield new lines of a log until its submission ends; retries for a while if there is no answer."""
    seen, heard = 0, time.monotonic()
    while True:
        try:
            alive = not submissions.status(name).state.is_over  # asked first: what is printed at the end is not missed
            text = submissions.logs(name)
        except OperationError:
            if time.monotonic() - heard > PATIENCE_S:
                raise
            alive, text = True, ""
        else:
            heard = time.monotonic()
        if len(text) > seen:
            yield text[seen:]
            seen = len(text)
        if not alive:
            return
        time.sleep(LOOK_S)
