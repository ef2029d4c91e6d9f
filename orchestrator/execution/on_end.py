"""Tell somebody that a run has ended: post one JSON object to an address, or give it to a program."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from orchestrator.core.outcome import ExitStatus
from orchestrator.core.ray_environment import DRIVER
from orchestrator.core.redact import first_line, redacted, redacted_data
from orchestrator.core.store import Store
from orchestrator.plan.budget import Budget
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import ID_LENGTH, refreshed
from orchestrator.study.schema import WEBHOOK, OnEnd
from trainers.schema.error_text import last_line_of

if TYPE_CHECKING:
    from orchestrator.results.result import TrialResult

LIMIT_S = 30.0
State = Literal["finished", "failed", "interrupted"]
Outcome = Callable[[], ExitStatus]  # it may have to read the results
log = logging.getLogger(__name__)


class NotTold(Exception):
    """Say in one sentence why the end of a run could not be told."""


@contextlib.contextmanager
def telling_the_end(plan: Plan, store: Store) -> Iterator[Callable[[Outcome], None]]:
    """Tell the end of a run as ``tracking.on_end`` asks for it, however the block ends; nothing goes wrong by it.

    The block passes a function that returns how the run ended to the function that it gets.
    """
    began, outcomes, on_end = time.monotonic(), list[Outcome](), plan.study.tracking.on_end
    if on_end is None:
        yield outcomes.append
        return

    def tell(state: State, reason: str) -> None:
        _tell(on_end, lambda: message(plan, store, state, reason, time.monotonic() - began))

    try:
        yield outcomes.append
    except KeyboardInterrupt:
        tell("interrupted", "interrupted; the same command resumes")
        raise
    except BaseException as error:
        tell("failed", first_line(error))
        raise
    ended = outcomes[0]()
    tell("failed" if ended.code else "finished", ended.reason or what_is_left(plan))


def what_is_left(plan: Plan) -> str:
    """Return why a run that ended well has not trained everything; nothing where it has."""
    statuses = Counter(refreshed(trial).status for trial in plan.trials)
    left = [f"{statuses[status]} {status}" for status in ("unfinished", "new", "paused") if statuses[status]]
    return f"{Budget(plan).reason or 'not everything is trained'}: {', '.join(left)}" if left else ""


def message(plan: Plan, store: Store, state: State, reason: str, took_s: float) -> dict[str, Any]:
    """Return the message about the end of a run; no text in it holds a secret."""
    from orchestrator.results.summary import best_student
    from orchestrator.tracking.results import results_on_disk

    statuses: list[str] = [refreshed(trial).status for trial in plan.trials]
    best = best_student(results_on_disk(plan, {}))
    found: Any = redacted_data(
        {
            "study": plan.study.name,
            "fingerprint": plan.fingerprint[:ID_LENGTH],
            "state": state,
            "reason": reason,
            "trials": {name: statuses.count(name) for name in dict.fromkeys(("finished", "failed", *statuses))},
            "best": _shown(best) if best else None,
            "mlflow": plan.study.tracking.uri or store.tracking_uri,
            "elapsed_s": round(took_s, 1),
        }
    )
    return dict(found)


def _shown(best: "TrialResult") -> dict[str, Any]:
    """Return the best student with its AP, and with the metric that it was chosen by."""
    from trainers.schema.record import SELECTION_METRIC

    judged = {"metric": best.metric, "value": best.metrics[best.metric]}
    return {"trial": best.id, "name": best.name, "ap": best.metrics.get(SELECTION_METRIC), **judged}


def _tell(on_end: OnEnd, content: Callable[[], dict[str, Any]]) -> None:
    try:
        text = json.dumps(content(), allow_nan=False)
    except Exception as error:  # noqa: BLE001  a damaged trial: the run's own end says more
        log.warning("tracking.on_end: there is nothing to tell: %s", first_line(error))
        return
    for tell in (partial(post, on_end.webhook, text), partial(call, on_end.program, text)):
        try:
            tell()
        except Exception as error:  # noqa: BLE001  whatever it is, the study has ended as it has
            log.warning("tracking.on_end: %s", error if isinstance(error, NotTold) else first_line(error))


def post(webhook: str | None, text: str) -> None:
    """Post ``text`` as JSON to an address; raise ``NotTold`` unless it is taken within the time limit."""
    address = os.environ.get(WEBHOOK, "") if webhook == f"${{{WEBHOOK}}}" else webhook
    if address is None:
        return
    place = urlsplit(address)
    if place.scheme not in ("http", "https") or not place.hostname:
        raise NotTold(f"the environment variable {WEBHOOK} holds no address that begins with https://")
    host = place.netloc.rpartition("@")[2]  # with its port; the rest of a webhook is a secret, as a rule
    where = f"{place.scheme}://{host}"
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(_answer(address, text)), daemon=True)
    thread.start()  # an address that answers byte by byte would exceed any limit of the client
    thread.join(LIMIT_S)
    answer = answers[0] if answers else f"did not answer within {LIMIT_S:g} s"
    if answer:
        raise NotTold(f"the webhook at {where} {answer}")


def _answer(address: str, text: str) -> str:
    """Return why the address did not take the text, nothing if it did."""
    import httpx

    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every request, address and all
    try:
        answer = httpx.post(address, content=text, headers={"Content-Type": "application/json"}, timeout=LIMIT_S)
    except httpx.TimeoutException:
        return f"did not answer within {LIMIT_S:g} s"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return f"cannot be reached ({type(error).__name__})"
    return "" if answer.is_success else f"answered {answer.status_code}"


def call(program: tuple[str, ...] | None, text: str) -> None:
    """Run a program, without a shell, with ``text`` on its stdin; raise ``NotTold`` unless it ends well in time.

    It lacks the run's mark: what it leaves to work on, such as the next study, is not ended with this one.
    """
    if program is None:
        return
    try:
        process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True, env={name: value for name, value in os.environ.items() if name != DRIVER},
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise NotTold(
            f"the program {program[0]} cannot be started: {getattr(error, 'strerror', None) or error}"
        ) from None
    try:
        _, said = process.communicate(text, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        raise NotTold(f"the program {program[0]} did not end within {LIMIT_S:g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if process.returncode:
        last = redacted(last_line_of(said))
        raise NotTold(
            f"the program {program[0]} ended with exit code {process.returncode}{f': {last}' if last else ''}"
        )
