"""Write a trial's student as an ONNX file with a reader beside it."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.reports.export import choose, require_absent
from orchestrator.reports.predict import run_here, subjects_in
from trainers.schema.config_files import read_config
from trainers.schema.onnx import MODEL, READER, OnnxJob, obstacle
from trainers.schema.predictions import Subject
from trainers.schema.record import CONFIG

NEEDED = ("onnx", "onnxruntime", "onnxscript")
WRITE = "trainers.onnx_export.write"  # imported where it runs: it brings torch


@dataclass(frozen=True)
class OnnxFiles:
    """Name the written files."""

    trial_id: str
    model: Path
    reader: Path


def export_onnx(plan: Plan, store: Store, wanted: str, target: Path, *, replace: bool) -> OnnxFiles:
    """Write ``student.onnx`` and ``detect.py`` of a trial's best epoch into ``target``, both or none.

    ``wanted`` is a trial id, its first digits, or ``best``. Raises ``UserError`` when there is no such trial, when files
    would be overwritten, when packages are missing and when the detector has no counterpart in ONNX; ``OperationError``
    when the trial has no student yet or onnxruntime finds other objects than mmdet.
    """
    _require_packages()
    trial = choose(plan, store, wanted)
    files = {name: target / name for name in (MODEL, READER)}
    require_absent(files.values(), replace=replace)
    with (
        subjects_in(plan, store, [trial]) as [subject],
        tempfile.TemporaryDirectory(prefix="stillhouse-onnx-") as scratch,
    ):
        require_counterpart(subject)
        run_here(WRITE, "write", OnnxJob(subject=subject, directory=scratch))
        try:
            _move(Path(scratch), files)
        except OSError as error:
            raise OperationError(f"cannot write to {target}: {error.strerror or error}") from error
    return OnnxFiles(trial.id, files[MODEL], files[READER])


def _move(source: Path, files: Mapping[str, Path]) -> None:
    """Move the named files of a folder to their places, both or none, also to another file system."""
    target = next(iter(files.values())).parent
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".export-") as partial:
        for name in files:
            shutil.copyfile(source / name, Path(partial) / name)
        for name, path in files.items():
            (Path(partial) / name).replace(path)


def _require_packages() -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(f"--format onnx needs {', '.join(missing)}: pip install 'stillhouse[onnx]'")


def require_counterpart(subject: Subject) -> None:
    """Raise ``UserError`` when the exported config says that the detector cannot be written."""
    model = read_config(Path(subject.checkpoint).with_name(CONFIG)).values.get("model", {})
    if (why := obstacle(model)) is not None:
        raise UserError(f"trial {subject.id} cannot be written as ONNX: {why}; --format mmdet writes it")
