"""A correct study whose lines the tests change one at a time."""

from pathlib import Path

from orchestrator.core.findings import Finding, StudyErrors
from orchestrator.study.load import load_study

VALID = """\
name: demo
dataset:
  kind: shapes
  train_images: 8
teacher:
  kind: train
  detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", width: 0.5, weights: random}
student:
  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py
  weights: random
method:
  kind: bckd
  alpha1: 1.0
schedule:
  epochs: 12
  lr: 1e-2
  batch_size: 16
search:
  space:
    method.alpha2: [2.0, 4.0]
  seeds: [0, 1]
scaling:
  workers: 2
tracking:
  tags: {team: vision}
"""
ZOO = "teacher:\n  kind: zoo\n  name: gfl_r101_fpn_ms-2x_coco\n"
TRAINED = VALID[VALID.index("teacher:") : VALID.index("student:")]


def edit(old: str, new: str) -> str:
    """Return the correct study with one piece replaced."""
    assert VALID.count(old) == 1, f"{old!r} is not in the study exactly once"
    return VALID.replace(old, new)


def write(folder: Path, text: str, name: str = "study.yaml") -> Path:
    """Write a study and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def findings_of(path: Path, sets: tuple[str, ...] = (), *, trust_python: bool = False) -> list[tuple[str, str, str]]:
    """Load a study and return (level, where, message) of all findings, the folder's name left out."""
    try:
        found: tuple[Finding, ...] = load_study(path, sets, trust_python=trust_python).warnings
    except StudyErrors as errors:
        found = errors.findings
    prefix = f"{path.parent}/"
    return [(item.level, item.where.replace(prefix, ""), item.message.replace(prefix, "")) for item in found]
