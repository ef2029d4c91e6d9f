"""Checking a study stays fast because it loads none of the heavy libraries."""

import subprocess
import sys
from pathlib import Path

import pytest

from trainers.schema.zoo import configs_dir

ROOT = Path(__file__).parents[2]
STUDY = str(configs_dir() / "studies" / "gfl_r50_from_r101_coco.yaml")
HEAVY = {"torch", "torchvision", "ray", "mlflow", "mmengine", "mmcv", "mmdet", "numpy"}
UNUSED = {"filelock", "httpx", "jinja2", "scipy"}  # by a check
PROGRAM = """
import sys
import orchestrator.core.findings, orchestrator.study.fingerprint, orchestrator.study.expand, trainers.schema
from orchestrator.study.load import load_study
orchestrator.study.expand.expand(load_study(sys.argv[1]).study)
print(*{name.partition(".")[0] for name in sys.modules})
"""


COMMAND = """
import contextlib, io, sys
from orchestrator.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(sys.argv[1:])
print(*{name.partition(".")[0] for name in sys.modules})
"""


@pytest.mark.parametrize(
    "arguments", [(), ("--help",), ("run", "--help"), ("check", STUDY), ("completion", "bash"), ("schema",)], ids=str
)
def test_commands_that_start_nothing_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", COMMAND, *arguments]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert HEAVY.isdisjoint(loaded)
    assert ("shtab" in loaded) is ("completion" in arguments)


def test_loading_a_study_imports_nothing_heavy() -> None:
    command = [sys.executable, "-c", PROGRAM, STUDY]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert (HEAVY | UNUSED).isdisjoint(loaded)
    assert "pydantic" in loaded
