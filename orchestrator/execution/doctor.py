"""Examine the environment: packages, operators, devices, Ray, the store and the data folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from orchestrator.core.errors import OperationError
from orchestrator.core.own_packages import own_environment
from orchestrator.core.processes import processes
from orchestrator.core.store import Store
from orchestrator.execution.leaks import Leak
from orchestrator.execution.opencv import REPAIR, is_opencv_fault, opencv_builds
from orchestrator.plan.machine import this_machine
from orchestrator.study.wording import counted
from trainers.schema.error_text import last_line_of

REQUIRED = ("torch", "torchvision", "mmdet", "mmengine", "ray", "mlflow", "pycocotools", "faster-coco-eval", "pydantic")
OURS = ("orchestrator", "trainers", "dashboards")
ROOM = 10 * 2**30  # bytes; a study of full-size detectors keeps some hundred MB a trial
PROBE = "import trainers, torch, mmdet.models, mmcv._ext as e; print(torch.__version__, torch.cuda.is_available(), e.__spec__.origin)"
PROBE_TIMEOUT_S = 180


@dataclass(frozen=True)
class DoctorCheck:
    """Hold the result of one check."""

    level: Literal["ok", "warn", "fail"]
    subject: str
    message: str


def examine(store: Store, leaks: Sequence[Leak] = ()) -> list[DoctorCheck]:
    """Run every check and report ``leaks``; a check that itself breaks counts as failed."""
    looks: tuple[Callable[[], Iterator[DoctorCheck]], ...] = (
        _python, _packages, _parents, _opencv, _stack, _devices, _ray, lambda: _store(store), _data, lambda: _leaks(leaks),
    )  # fmt: skip
    return [check for look in looks for check in look()]


def _python() -> Iterator[DoctorCheck]:
    good = (3, 11) <= sys.version_info[:2] < (3, 13)
    yield DoctorCheck("ok" if good else "fail", "python", f"{sys.version.split()[0]} at {sys.executable}")
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        yield DoctorCheck(
            "warn", "python", "PYTHONDONTWRITEBYTECODE is set: workers start slowly unless bytecode is compiled"
        )


def _packages() -> Iterator[DoctorCheck]:
    for name in REQUIRED:
        try:
            yield DoctorCheck("ok", name, version(name))
        except PackageNotFoundError:
            yield DoctorCheck("fail", name, "not installed: build the environment with make env")


def _parents() -> Iterator[DoctorCheck]:
    """The packages' names are common words: make sure that all of them are ours."""
    found = {name: Path(str(import_module(name).__file__)).parent.parent for name in OURS}
    if len(set(found.values())) == 1:
        yield DoctorCheck("ok", "stillhouse", str(found["orchestrator"]))
    else:
        places = ", ".join(f"{name} from {path}" for name, path in found.items())
        yield DoctorCheck("fail", "stillhouse", f"its packages come from several folders: {places}")


def _opencv() -> Iterator[DoctorCheck]:
    builds = opencv_builds()
    if len(builds) > 1:
        message = f"{' and '.join(builds)} share the folder cv2, and the one installed last is in use: {REPAIR}"
        yield DoctorCheck("warn", "opencv", message)
    else:
        yield DoctorCheck("ok", "opencv", builds[0] if builds else "a cv2 without metadata")


def _stack() -> Iterator[DoctorCheck]:
    """Import mmdet with its operators in another process, as a worker would."""
    try:
        answer = subprocess.run(
            [sys.executable, "-P", "-c", PROBE], capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False,
            env=own_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        yield DoctorCheck("fail", "mmdet", f"importing it took longer than {PROBE_TIMEOUT_S} s")
        return
    if answer.returncode:
        reason = last_line_of(answer.stderr) or "import failed"
        yield DoctorCheck("fail", "mmdet", f"{reason}: {REPAIR}" if is_opencv_fault(answer.stderr) else reason)
        return
    torch_version, cuda, origin = answer.stdout.split()[-3:]
    yield DoctorCheck("ok", "mmdet", f"imports with torch {torch_version}; mmcv operators from {origin}")
    gpus = this_machine().gpus
    if gpus and cuda == "False":
        yield DoctorCheck("fail", "cuda", f"{counted(gpus, 'NVIDIA device')} present, but torch sees none")


def _devices() -> Iterator[DoctorCheck]:
    machine = this_machine()
    yield DoctorCheck("ok", "machine", f"{counted(machine.cpus, 'CPU')}, {counted(machine.gpus, 'GPU')}")


def _ray() -> Iterator[DoctorCheck]:
    address = os.environ.get("RAY_ADDRESS")
    if address:
        yield DoctorCheck(
            "warn", "ray", f"RAY_ADDRESS={address} is set but ignored: run starts its own Ray unless you pass --address"
        )
    running = sum("gcs_server" in process.title.partition(" ")[0] for process in processes())
    if running:
        yield DoctorCheck("warn", "ray", f"other Ray heads run on this machine: {running}")
    else:
        yield DoctorCheck("ok", "ray", "no other Ray on this machine")


def _store(store: Store) -> Iterator[DoctorCheck]:
    try:
        store.prepare()
    except OperationError as error:
        yield DoctorCheck("fail", "store", str(error))
        return
    free = shutil.disk_usage(store.root).free
    level: Literal["ok", "warn"] = "ok" if free > ROOM else "warn"
    yield DoctorCheck(level, "store", f"{store.root}, {free / 2**30:.0f} GiB free")


def _data() -> Iterator[DoctorCheck]:
    folder = os.environ.get("STILLHOUSE_DATA")
    if folder is None:
        yield DoctorCheck("warn", "data", "STILLHOUSE_DATA is not set; the shipped studies need it")
    elif not Path(folder).is_dir():
        yield DoctorCheck("fail", "data", f"STILLHOUSE_DATA names {folder}, which is not a folder")
    else:
        yield DoctorCheck("ok", "data", folder)


def _leaks(leaks: Sequence[Leak]) -> Iterator[DoctorCheck]:
    if not leaks:
        yield DoctorCheck("ok", "leaks", "no leftovers of earlier runs")
    for leak in leaks:
        yield DoctorCheck("fail", "leaks", f"{leak.message}: stillhouse doctor --clean removes it")
