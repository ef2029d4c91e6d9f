"""Checking a study stays fast because it loads none of the heavy libraries."""

import subprocess
import sys
from pathlib import Path

from trainers.schema.zoo import configs_dir

HEAVY = {"torch", "torchvision", "ray", "mlflow", "mmengine", "mmcv", "mmdet", "numpy"}
UNUSED = {"filelock", "httpx", "jinja2", "scipy"}  # by a check
PROGRAM = """
import sys
import orchestrator.core.findings, orchestrator.study.fingerprint, orchestrator.study.expand, trainers.schema
from orchestrator.study.load import load_study
orchestrator.study.expand.expand(load_study(sys.argv[1]).study)
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_loading_a_study_imports_nothing_heavy() -> None:
    study = configs_dir() / "studies" / "gfl_r50_from_r101_coco.yaml"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", PROGRAM, str(study)]
    loaded = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split()
    assert (HEAVY | UNUSED).isdisjoint(loaded)
    assert "pydantic" in loaded
