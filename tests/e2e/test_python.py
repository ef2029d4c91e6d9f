"""The code of docs/python.md and the cells of docs/python.ipynb, run as a reader would run them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from tests.e2e.stillhouse import ROOT

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
NOTEBOOK = ROOT / "docs" / "python.ipynb"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
AFTERWARDS = """
import json, sys

again = Study.load(study.loaded.origin.data, ["search.seeds=[1]"]).run("runs")  # the same process, another study
known = {
    "statuses": [trial.status for trial in result],
    "same": results.to_json()["trials"] == [t | {"events": []} for t in (r.to_json() for r in result)],
    "frame": dict(zip(frame["trial"], frame["best/coco/bbox_mAP"])),
    "again": [(trial.id, trial.status) for trial in again],
    "html": results._repr_html_() + study._repr_html_() + plan._repr_html_(),
}
json.dump(known, open("known.json", "w"))
"""


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the page's blocks in one process, as a reader copies them, and return what they led to.

    The reader has packages of his own beside the script, under names of ours.
    """
    folder = tmp_path_factory.mktemp("python")
    for name in ("orchestrator", "trainers", "dashboards"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise RuntimeError('a package of a stranger')")
    (folder / "page.py").write_text("\n".join(BLOCK.findall(PAGE)) + AFTERWARDS)
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads((folder / "known.json").read_text())
    compared = subprocess.run(
        [sys.executable, "-c", COMPARED], cwd=folder, env=environment(), capture_output=True, text=True, check=True
    )
    return {**content, "out": done.stdout, "err": done.stderr, "folder": folder, "compared": compared.stdout}


COMPARED = """
import json
from stillhouse import Study

blocks = open("page.py").read().split("for finding in study.check()")[0]
exec(blocks)
frame = study.results("runs").frame()
print(json.dumps(dict(zip(frame["trial"], frame["best/coco/bbox_mAP"]))))
"""


@pytest.mark.slow
def test_the_page_runs_and_its_results_are_those_of_a_later_process(known: dict[str, Any]) -> None:
    assert known["statuses"] == ["finished"] * 3  # the teacher, the student alone, the distilled one
    assert known["same"]
    assert json.loads(known["compared"]) == known["frame"]


@pytest.mark.slow
def test_a_second_study_runs_in_the_same_process(known: dict[str, Any]) -> None:
    trained = [trial for trial, status in known["again"] if status == "finished"]
    assert len(trained) == 3
    assert len(set(trained) - set(known["frame"])) == 2  # the teacher is the same


@pytest.mark.slow
def test_the_page_prints_the_mistake_and_the_progress(known: dict[str, Any]) -> None:
    assert "error None None method.kind unknown kind bckt (did you mean bckd?)" in known["out"]
    assert re.search(r"^\w{12}  bckd .*epoch 1/1 AP \d", known["err"], flags=re.MULTILINE)


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offer this interpreter as the only kernel, and keep Jupyter's files in the test's folder."""
    spec = tmp_path / "share" / "kernels" / "python3"
    spec.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "Python 3", "language": "python"}))
    for variable in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for variable in [name for name in os.environ if name.startswith(("RAY_", "TUNE_"))]:
        monkeypatch.delenv(variable)  # which the tests' own process has set


def shown(cell: Any, kind: str) -> str:
    """Return all that a cell shows of one kind."""
    return "".join(part["data"].get(kind, "") for part in cell.outputs if "data" in part)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_notebook_runs_and_shows_tables_and_a_picture(kernels: None, known: dict[str, Any], tmp_path: Path) -> None:
    shutil.copytree(known["folder"] / "runs", tmp_path / "runs")  # its study is the page's, trained there already
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=800, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    cells = {cell.id: cell for cell in notebook.cells}
    assert all(shown(cells[name], "text/html").startswith("<table>") for name in ("load", "plan", "run"))
    assert shown(cells["results"], "text/html").count("finished") == 3
    assert len(shown(cells["picture"], "image/png")) > 1000


def test_the_notebook_holds_no_outputs_and_the_code_of_the_page() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code.values())
    assert code["load"].source == f"{BLOCK.findall(PAGE)[0]}study"


INTERRUPTED = """
from stillhouse import Study

{load}
study = Study.load(study.loaded.origin.data, ["schedule.epochs=500"])
try:
    study.run("runs", progress=True)
except KeyboardInterrupt as stop:
    print("stopped:", type(stop).__name__)
print("states:", sorted(trial.status for trial in study.plan("runs").trials))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_interrupting_the_kernel_leaves_trials_to_go_on_with(kernels: None, tmp_path: Path) -> None:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        request = client.execute(INTERRUPTED.format(load=BLOCK.findall(PAGE)[0]))
        said, is_interrupted = "", False
        while "states:" not in said:
            message = client.get_iopub_msg(timeout=600)
            assert message["msg_type"] != "error", message["content"]
            if message["parent_header"].get("msg_id") == request and message["msg_type"] == "stream":
                said += message["content"]["text"]
            if not is_interrupted and re.search(r"bckd .*: epoch 1/500", said):
                manager.interrupt_kernel()
                is_interrupted = True
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "stopped: RunInterrupted" in said
    assert "'unfinished'" in said.partition("states:")[2]


@pytest.mark.parametrize("case", ["import ray", "import ray; ray.init('local', num_cpus=1, include_dashboard=False)"])
def test_a_ray_that_was_there_before_is_refused_and_left_alone(case: str, tmp_path: Path) -> None:
    script = f"""
{case}
from stillhouse import Study, UserError
try:
    Study.load("stillhouse::studies/quickstart.yaml").run("runs")
except UserError as error:
    print(error, ray.is_initialized())
"""
    cleared = {name: value for name, value in environment().items() if not name.startswith(("RAY_", "TUNE_"))}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=cleared, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (
        f"restart Python (in a notebook, the kernel), and run the study before anything imports ray {'init' in case}"
        in done.stdout
    )
    assert not (tmp_path / "runs").exists()
