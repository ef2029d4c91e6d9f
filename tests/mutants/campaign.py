"""Plant the faults of a sample one by one in a private copy, and write down what the tests beside them say."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.mutants.areas import area_of
from tests.mutants.beside import TRAINING, beside
from tests.mutants.copy import Mutated
from tests.mutants.faults import Fault
from tests.mutants.ledger import Ledger, Outcome
from tests.mutants.reach import Choice, Reach

TRACE_LIMIT_S = 1200.0
NOTHING_RAN = 5  # pytest's exit code
NEAREST = 2  # files


class Nurseries:
    """Hold the processes that tests are forked from; both are started when a job first needs them."""

    def __init__(self, copy: Path, folder: Path, level: str = "warm") -> None:
        self._copy = copy
        self._folder = folder
        self._level = level
        self._started: dict[str, tuple[subprocess.Popen[str], list[str]]] = {}

    def __enter__(self) -> "Nurseries":
        return self

    def __exit__(self, *error: object) -> None:
        for process, _ in self._started.values():
            process.stdin.close()
            process.wait(60)

    def run(
        self, changed: str | None, files: list[str], limit_s: float, tests: list[str] | None = None, trace: bool = False
    ) -> dict[str, Any]:
        """Run tests in a fork, and return its exit code, seconds and report.

        A process that has imported the changed file already would not notice the change: a colder one runs the tests.
        """
        process, loaded = self._process(self._level)
        if changed in loaded:
            process, _ = self._process("cold")
        report = self._folder / "report.json"
        report.unlink(missing_ok=True)
        job: dict[str, Any] = {"files": files, "tests": tests, "trace": trace, "limit_s": limit_s}
        job |= {"log": str(self._folder / "log.txt"), "report": str(report)}
        print(json.dumps(job), file=process.stdin, flush=True)
        answer = json.loads(process.stdout.readline())
        return answer | {"report": json.loads(report.read_text()) if report.exists() else {}}

    def _process(self, level: str) -> tuple[subprocess.Popen[str], list[str]]:
        if level not in self._started:
            environment = os.environ | {
                "PYTHONPATH": str(self._copy),
                "OMP_NUM_THREADS": "1",
                "RAY_worker_niceness": "0",
            }
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.mutants.nursery", level],
                cwd=self._copy,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._started[level] = (process, json.loads(process.stdout.readline()))
        return self._started[level]


class Campaign:
    """Hold everything that one sample needs."""

    def __init__(self, copy: Path, reach: Reach, nurseries: Nurseries, ledger: Ledger) -> None:
        self._copy = copy
        self._reach = reach
        self._nurseries = nurseries
        self._ledger = ledger
        self._mutated = Mutated(copy)

    def trace(self, faults: Iterable[Fault]) -> Iterator[str]:
        """Run each test file beside the faults once, with its lines traced; yield a sentence for each group of files."""
        wanted = sorted({test for fault in faults for test in beside(fault.file, self._copy)})
        groups = defaultdict(list)
        for test in self._reach.untraced(wanted):
            folder = str(Path(test).parent)
            groups[folder if folder.startswith("tests/unit") and not test.startswith(TRAINING) else test].append(test)
        for name, tests in groups.items():
            answer = self._nurseries.run(None, tests, TRACE_LIMIT_S, trace=True)
            is_traced = bool(answer["report"])  # nothing is known of a run that was ended: the next call traces it
            for test in tests if is_traced else []:
                self._reach.add(test, answer["report"])
            done = "traced" if is_traced else "not traced, faults beside it may go unseen:"
            yield f"{done} {name}: {len(tests)} files in {answer['seconds']:.0f} s, pytest's code {answer['code']}"
        for name in self._reach.failing(wanted):
            yield f"left out, for it does not pass without a fault: {name}"

    def judge(self, fault: Fault) -> Outcome:
        """Plant one fault, run the tests that can see it, and write the outcome down."""
        choice = self._reach.choose(fault)
        answer: dict[str, Any] = {"code": 0, "seconds": 0.0, "report": {}}
        with self._mutated.planted(fault):
            for part in choice.parts(
                NEAREST
            ):  # most faults are seen by the first few: the others are not even collected
                limit_s = 30 + 6 * part.seconds
                found = self._nurseries.run(fault.file, part.files, limit_s, tests=part.tests)
                answer = found | {"seconds": answer["seconds"] + found["seconds"]}
                if answer["code"] not in (0, NOTHING_RAN):
                    break
        outcome = outcome_of(fault, choice, answer, (self._copy / fault.file).read_text(encoding="utf-8"))
        self._ledger.add(outcome)
        return outcome


def outcome_of(fault: Fault, choice: Choice, answer: dict[str, Any], text: str) -> Outcome:
    """Return what an answer of pytest means for a fault."""
    if not choice.tests:
        word = "unseen"
    elif answer["code"] is None:
        word = "slow"
    else:
        word = "survived" if answer["code"] in (0, NOTHING_RAN) else "killed"
    by = answer["report"].get("failed") if word == "killed" else None
    where = f"{fault.file}:{fault.line} {fault.scope}"
    return Outcome(
        fault.id, area_of(fault.file), where, fault.kind, change_of(fault, text), word, by, answer["seconds"]
    )


def change_of(fault: Fault, text: str) -> str:
    """Return the changed lines, before and after, in one line of text."""
    before, after = text.splitlines(), fault.planted(text).splitlines()
    last = fault.last_line + len(after) - len(before)
    old = " ".join(line.strip() for line in before[fault.line - 1 : fault.last_line])
    new = " ".join(line.strip() for line in after[fault.line - 1 : last])
    return f"{old}  =>  {new}"
