"""Run pytest many times without importing the libraries anew: each run is a fork of a process that has imported them.

Started as ``python -m tests.mutants.nursery LEVEL`` in the root of a copy. It reads a job (JSON) a line and answers each with
a line. ``bare`` has imported no library, ``cold`` none that needs modules of ours, ``warm`` has mmdet and the modules of
ours that let it be imported; the first line of output lists them.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

OURS = ("orchestrator", "trainers", "dashboards", "stillhouse")
LIBRARIES = [
    "pytest",
    "hypothesis",
    "hypothesis.extra.pytestplugin",
    "numpy",
    "torch",
    "torchvision",
    "pydantic",
    "ruamel.yaml",
    "PIL.Image",
    "cv2",
    "pandas",
    "scipy.stats",
    "matplotlib.pyplot",
    "pycocotools.coco",
    "faster_coco_eval",
    "fastapi",
    "fastapi.testclient",
    "uvicorn",
    "httpx",
    "jinja2",
    "sqlalchemy",
    "mlflow",
    "mlflow.tracking",
    "optuna",
    "fsspec",
    "filelock",
]
DETECTORS = ["trainers", "mmengine", "mmcv.ops", "mmdet.apis", "mmdet.models", "mmdet.datasets"]

LEVELS: dict[str, list[str]] = {"bare": [], "cold": LIBRARIES, "warm": LIBRARIES + DETECTORS}


def main(level: str) -> None:
    """Import libraries, then run jobs until the input ends."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    for name in LEVELS[level]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    print(json.dumps(sorted(_our_files())), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


def _our_files() -> list[str]:
    """Return the files of ours that every fork has as they are now."""
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] in OURS]
    return [
        str(Path(file).relative_to(Path.cwd())) for module in modules if (file := getattr(module, "__file__", None))
    ]


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job in a fork, kill it and what it has started after ``limit_s``, and return its exit code and seconds."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_pytest(job)
    code = _exit_code(child, began + job["limit_s"])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if code is None:
        os.waitpid(child, 0)
    return {"code": code, "seconds": round(time.monotonic() - began, 2)}


def _exit_code(child: int, until: float) -> int | None:
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    return None


def _be_pytest(job: dict[str, Any]) -> None:
    code = 3
    try:
        os.setsid()
        output = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, stream in ((null, 0), (output, 1), (output, 2)):
            os.dup2(source, stream)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
        code = _pytest(job)
        sys.stdout.flush()
    finally:
        os._exit(int(code))


def _pytest(job: dict[str, Any]) -> int:
    import pytest

    from tests.mutants.chosen import Chosen
    from tests.mutants.trace import Trace

    plugin = Trace(Path(job["report"]), Path.cwd()) if job["trace"] else Chosen(Path(job["report"]), job["tests"])
    stops = [] if job["trace"] else ["-x"]
    return int(pytest.main([*job["files"], *stops, *OPTIONS], plugins=[plugin]))


OPTIONS = [
    "-q",
    "-p",
    "no:cacheprovider",
    "--hypothesis-profile",
    "quick",
    "-m",
    "not slow",
    "--durations",
    "0",
    "--tb",
    "short",
]

if __name__ == "__main__":
    main(sys.argv[1])
