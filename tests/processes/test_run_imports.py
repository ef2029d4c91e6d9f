"""A run that cannot work loads nothing heavy before it says why."""

import subprocess
import sys
from pathlib import Path

from tests.unit.orchestrator.coco_data import section, write_coco
from tests.unit.orchestrator.study_text import write
from tests.unit.orchestrator.test_cli_run import ONE_WORKER, SHAPES, store  # noqa: F401  a fixture
from trainers.schema.zoo import configs_dir

ROOT = Path(__file__).parents[2]
DRIVER = """
import sys
from orchestrator.cli import main
for arguments in sys.argv[1].split("|"):
    try:
        code = main(arguments.split())
    except SystemExit as stop:
        code = stop.code
    loaded = {name.partition(".")[0] for name in sys.modules} & set(sys.argv[2].split())
    print(">", code, *sorted(loaded))
"""
HEAVY = "torch torchvision ray mlflow mmengine mmcv mmdet"


def loaded_by(*commands: str) -> list[str]:
    """Run commands one after the other in a new process; return the exit code and heavy modules after each."""
    command = [sys.executable, "-c", DRIVER, "|".join(commands), HEAVY]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [line[2:] for line in done.stdout.splitlines() if line.startswith("> ")]


def test_help_check_and_plan_load_nothing_heavy():
    study, paper = (configs_dir() / "studies" / name for name in ("quickstart.yaml", "gfl_r50_from_r101_coco.yaml"))
    commands = ["--help", "run --help", f"check {study}", f"check {paper} --json", f"plan {study}", f"plan {paper}"]
    assert loaded_by(*commands) == ["0"] * 6


def test_runs_that_stop_early_load_nothing_heavier_than_they_need(store, tmp_path):  # noqa: F811
    write_coco(tmp_path / "data", classes=("dog", "cow"))
    no_data = write(tmp_path, ONE_WORKER.replace(SHAPES, section(tmp_path / "nowhere")), "no_data.yaml")
    wrong_data = write(tmp_path, ONE_WORKER.replace(SHAPES, section(tmp_path / "data")), "wrong_data.yaml")
    sound = write(tmp_path, ONE_WORKER)
    (tmp_path / "file").touch()
    assert loaded_by(
        f"run {no_data} --store {store}",
        f"run {wrong_data} --store {store}",
        f"run {sound} --store {tmp_path / 'file'}",
        f"compare {sound} --store {store}",
        f"run {sound} --store {store} --set tracking.uri=sqlite:///{tmp_path / 'nowhere' / 'mlflow.db'}",
    ) == ["2", "2", "1", "2 mlflow", "2 mlflow"]
