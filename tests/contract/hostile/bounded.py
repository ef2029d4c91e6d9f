"""Read hostile inputs in a process of its own, within limits of time and memory that are set and measured for each.

A generator, ``cases(count, seed, canary)``, yields ``Case``s; a reader takes a file's path and returns ``None`` where it
could read the file, or the sentence by which it refused. Both are named as ``module:function``.
"""

import json
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

LONGEST_S = 5.0  # of the processor, for one case
PATIENCE_S = 40.0  # for one case on a busy machine
MEMORY = 200 << 20  # bytes above those of the case itself
START_S = 120.0  # for the imports, on a busy machine
SENTENCE = 2000  # characters of the longest message
MOST_SHOWN = 10


class Case(NamedTuple):
    """Hold one hostile input: its name in messages, and the content and suffix of its file."""

    name: str
    content: bytes
    suffix: str = ""


class Outcome(NamedTuple):
    """Hold the result of one case: the sentence by which it was refused, seconds, and bytes of memory at its peak.

    ``raised`` is the traceback of an error that no reader may raise, or the forbidden act.
    """

    name: str
    size: int
    said: str | None
    seconds: float
    grown: int
    raised: str | None = None


Generator = Callable[[int, int, Path], Iterator[Case]]


def outcomes(generator: str, reader: str, folder: Path, count: int, seed: int = 1) -> list[Outcome]:
    """Return the outcome of each case; fail where one hangs, ends the process, raises, runs anything or takes memory."""
    child = _Child([generator, reader, str(folder), str(count), str(seed)], folder)
    found = [Outcome(**line) for line in child.answers()]
    wrong = [f"{outcome.name}: {problem}" for outcome in found if (problem := _problem(outcome)) is not None]
    assert not wrong, f"{len(wrong)} of {len(found)} cases: " + "\n".join(wrong[:MOST_SHOWN])
    assert len(found) == count
    return found


def _problem(outcome: Outcome) -> str | None:
    """Return why an outcome is wrong, ``None`` where it is right."""
    if outcome.raised is not None:
        return outcome.raised
    if outcome.grown > MEMORY + outcome.size:
        return f"{outcome.grown >> 20} MiB for {outcome.size} bytes"
    if outcome.seconds > LONGEST_S:
        return f"{outcome.seconds:.1f} s"
    if outcome.said is not None and not (outcome.said.isprintable() and 0 < len(outcome.said) < SENTENCE):
        return f"is no sentence: {outcome.said[:500]!r}"
    return None


class _Child:
    """Run ``tests.contract.hostile.child``, and name the case that it was at when it hung or died."""

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.contract.hostile.child", *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip

    def answers(self) -> Iterator[dict[str, Any]]:
        """Yield the answer to each case: the child names a case before it reads it."""
        at = "its start"
        try:
            for line in self._lines():
                if "begun" in line:
                    at = line["begun"]
                else:
                    yield line
            assert self._process.wait(30) == 0, (
                f"{at}: the reader ended with {self._process.returncode}; {self._said()}"
            )
        except TimeoutError:
            raise AssertionError(f"{at}: no answer after {PATIENCE_S} s") from None
        finally:
            self._process.kill()
            self._process.wait()

    def _lines(self) -> Iterator[dict[str, Any]]:
        assert self._process.stdout is not None
        stream, rest, patience = self._process.stdout, b"", START_S
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while True:
                if not selector.select(patience):
                    raise TimeoutError
                if not (read := stream.read1(1 << 16)):  # type: ignore[attr-defined]  # the pipe is buffered
                    return
                *whole, rest = (rest + read).split(b"\n")
                yield from map(json.loads, whole)
                patience = PATIENCE_S

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def slowest(found: list[Outcome]) -> str:
    """Return the extremes of outcomes as a line, for a test's output."""
    by_time, by_memory = max(found, key=lambda one: one.seconds), max(found, key=lambda one: one.grown - one.size)
    refused = sum(one.said is not None for one in found)
    return (
        f"{len(found)} cases, {refused} refused; slowest {by_time.name} {by_time.seconds:.2f} s; "
        f"largest {by_memory.name} {by_memory.grown / 2**20:.1f} MiB"
    )
