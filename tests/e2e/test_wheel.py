"""An installed wheel is enough: no checkout, no file, an empty folder."""

import os
import subprocess
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.stillhouse import ROOT, Answer
from tests.unit.orchestrator.coco_data import write_coco

ENTRY = """
import sys
from importlib.metadata import entry_points

[found] = entry_points(group="console_scripts", name="stillhouse")
sys.argv[0] = "stillhouse"
sys.exit(found.load()())
"""
QUICKSTART = "stillhouse::studies/quickstart.yaml"
SMALL = (
    "dataset.train_images=4", "dataset.val_images=2", "dataset.image_size=[64, 64]", "teacher.schedule.epochs=1",
    "schedule.epochs=1", "search.space={}", "search.seeds=[0]",
)  # fmt: skip
Installed = Callable[..., Answer]


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment that holds the wheel, and the dependencies of this one."""
    from hatchling.builders.wheel import WheelBuilder

    folder = tmp_path_factory.mktemp("wheel")
    [wheel] = WheelBuilder(str(ROOT)).build(directory=str(folder / "dist"), versions=["standard"])
    venv.create(folder / "env", symlinks=True)
    [site] = (folder / "env").glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    # A plain line: the .pth files there, one of which names this checkout, are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "env" / "bin" / "python"


@pytest.fixture
def run_python(interpreter: Path, tmp_path: Path) -> Callable[..., Answer]:
    """Return a function that runs the interpreter in an empty folder, without this checkout on its path."""

    def run(*arguments: object) -> Answer:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RAY_", "TUNE_"))}
        done = subprocess.run(
            [interpreter, *map(str, arguments)], cwd=tmp_path, env=kept | {"OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def installed(run_python: Callable[..., Answer]) -> Installed:
    """Return a function that runs the installed command."""
    return lambda *arguments: run_python("-c", ENTRY, *arguments)


def test_the_packages_are_the_wheels(run_python: Callable[..., Answer], interpreter: Path) -> None:
    names = "orchestrator, trainers, dashboards, stillhouse"
    answer = run_python("-c", f"import {names}\nprint(*(one.__file__ for one in ({names})))")
    assert answer.code == 0, answer.err
    assert all(file.startswith(str(interpreter.parents[1])) for file in answer.out.split())


def test_check_takes_a_shipped_study(installed: Installed) -> None:
    answer = installed("check", QUICKSTART)
    assert (answer.code, answer.out) == (0, f"{QUICKSTART}: ok\n"), answer.err
    answer = installed("check", "stillhouse::studies/quikstart.yaml")
    assert (answer.code, f"did you mean {QUICKSTART}?" in answer.err) == (2, True)


def test_init_writes_a_study_that_is_right(installed: Installed, tmp_path: Path) -> None:
    write_coco(tmp_path / "photos")
    assert installed("init", "photos").code == 0
    answer = installed("check", "study.yaml")
    assert (answer.code, answer.out) == (0, "study.yaml: ok\n"), answer.err


def test_study_loads_from_python(run_python: Callable[..., Answer]) -> None:
    answer = run_python("-c", f"from stillhouse import Study\nprint(Study.load({QUICKSTART!r}))")
    assert answer.out == f"<Study 'quickstart' from {QUICKSTART}>\n", answer.err


@pytest.mark.slow
def test_plan_and_run_take_a_shipped_study(installed: Installed, tmp_path: Path) -> None:
    sets = [word for text in SMALL for word in ("--set", text)]
    planned = installed("plan", QUICKSTART, "--json", *sets)
    assert planned.code == 0, planned.err
    ran = installed("run", QUICKSTART, "--json", *sets)
    assert ran.code == 0, ran.err
    assert [trial["status"] for trial in ran.json["trials"]] == ["finished"] * len(planned.json["trials"])
    assert (tmp_path / "stillhouse-runs" / "trials").is_dir()
