"""Whatever a study file holds, loading it ends in a study or in findings, and soon."""

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.findings import StudyErrors
from orchestrator.study.expand import expand
from orchestrator.study.load import load_study

# Short, because most of the time goes into reading YAML, and with a piece of everything.
STUDY = """\
name: demo
dataset: {kind: shapes, image_size: [64, 64]}
teacher: {kind: random, detector: {config: own.py}}
student:
  config: own.py
method:
  kind: bckd
schedule: {lr: 1e-2, optimizer: {kind: adamw}}
search:
  space:
    method.alpha2: [2.0, 4.0]
  seeds: [0, 1]
"""

TEXTS = 2_000
PIECES: tuple[str, ...] = (
    *"\t\n :-[]{},'\"#&*!|>%@`?\\\0\x85\u2028é",
    *(
        "null",
        "true",
        "1e999",
        ".nan",
        "010",
        "-1",
        "kind: none",
        "kind:",
        "base: study.yaml",
        "<<: *a",
        "&a ",
        "---\n",
        "...\n",
    ),
    *(
        "!!python/object:os.system ",
        "${HOME}",
        "mmdet::",
        "{uniform: [0, 1]}",
        "algorithm: random\n  samples: 3",
        "[[1]]",
        "- ",
    ),
)


def delete(text: str, chance: random.Random) -> str:
    start = chance.randrange(len(text))
    return text[:start] + text[start + chance.randrange(1, 8) :]


def insert(text: str, chance: random.Random) -> str:
    start = chance.randrange(len(text))
    return text[:start] + chance.choice(PIECES) + text[start:]


def swap_lines(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return "".join(lines)


def replace_value(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    line = chance.randrange(len(lines))
    lines[line] = lines[line].partition(":")[0] + ": " + chance.choice(PIECES) + "\n"
    return "".join(lines)


def mutated(chance: random.Random) -> str:
    ways: tuple[Callable[[str, random.Random], str], ...] = (delete, insert, swap_lines, replace_value)
    text = STUDY
    for _ in range(chance.randrange(1, 4)):
        change = chance.choice(ways)
        text = change(text, chance) or STUDY
    return text


@pytest.mark.timeout(120)
def test_mutated_studies_end_in_findings_or_trials(tmp_path: Path) -> None:
    chance, path, accepted = random.Random(20240229), tmp_path / "study.yaml", 0
    (tmp_path / "own.py").touch()
    for _ in range(TEXTS):
        text = mutated(chance)
        path.write_bytes(text.encode())
        with contextlib.suppress(StudyErrors):
            study = load_study(path, trust_python=True).study
            assert expand(study)
            accepted += 1
    assert TEXTS / 100 < accepted < TEXTS / 2
