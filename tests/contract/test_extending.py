"""The code of docs/extending.md, installed as a package of somebody else's, adds one of each thing that can be added."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.unit.orchestrator.study_text import VALID

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"(?:#|//) (\S+\.\w+)\n(.*)", re.DOTALL)
HEAD = """_base_ = {base!r}
model = {{
    "bbox_head": {{
        "type": "RetinaSepBNHead",
        "num_ins": 3,
        "norm_cfg": {{"type": "BN", "requires_grad": True}},
        "stacked_convs": 2,
    }}
}}
"""
ASKED = """
import json, sys
from pathlib import Path
from orchestrator.core.store import Store
from orchestrator.plan.plan import make_plan
from orchestrator.search.suggestions import Suggestions
from orchestrator.study.load import load_study
from trainers.schema.record import Outcome, Record, to_lines, write_outcome

plan = make_plan(load_study(sys.argv[1]), Store(Path(sys.argv[2])))
suggestions = Suggestions(plan)
while trials := suggestions.ask(1):
    [trial] = trials
    trial.directory.mkdir(parents=True)
    score = 1 - abs(dict(trial.spec.method)["alpha1"] - 1.0)
    (trial.directory / "history.jsonl").write_text(to_lines([Record(1, 1, {"coco/bbox_mAP": score}, final=True)]))
    write_outcome(trial.directory, Outcome("finished"))
    suggestions.on_trial_complete(trial.id)
print(json.dumps([[event["params"] for event in map(json.loads, plan.search_log.read_text().splitlines())
                   if event["event"] == "ask"], suggestions.over]))
"""


def named_blocks() -> dict[str, str]:
    """Return the page's files by their paths, which their first lines name."""
    found = (NAMED.fullmatch(text) for _, text in BLOCK.findall(PAGE))
    return {match[1]: match[2] for match in found if match}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that holds the page's package as an installer leaves it."""
    folder = tmp_path_factory.mktemp("site")
    for name, text in named_blocks().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "my_lab" / "__init__.py").touch()
    register(folder, tomllib.loads((folder / "pyproject.toml").read_text())["project"])
    return folder


def register(folder: Path, project: dict[str, object]) -> None:
    """Write a package's metadata."""
    metadata = folder / "my_lab-0.1.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1\n")
    groups: dict[str, dict[str, str]] = project["entry-points"]  # type: ignore[assignment]
    lines = [f"[{group}]\n" + "".join(f"{n} = {v}\n" for n, v in points.items()) for group, points in groups.items()]
    (metadata / "entry_points.txt").write_text("\n".join(lines))


def python(folder: Path, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run Python where the package is installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_every_entry_point_of_the_page_leads_to_a_file_of_the_page():
    points = tomllib.loads(named_blocks()["pyproject.toml"])["project"]["entry-points"]
    modules = {place.partition(":")[0] for group in points.values() for place in group.values()}
    assert len(points) == 5
    assert {f"{module.replace('.', '/')}.py" for module in modules} <= named_blocks().keys()


def test_a_term_and_a_head_train_a_step(installed: Path, tmp_path: Path):
    config = tmp_path / "tiny.py"
    config.write_text(HEAD.format(base=str(ROOT / "tests/unit/trainers/tiny_retinanet.py")))
    found = json.loads(python(installed, "-m", "tests.contract.extending_step", config).stdout.splitlines()[-1])
    assert found["adapter"] == "RetinaSepBnAdapter"
    assert found["losses"]["score_mse"] > 0
    assert found["trained"]


def test_an_algorithm_proposes_the_points_of_a_plan(installed: Path, tmp_path: Path):
    study = tmp_path / "study.yaml"
    study.write_text(searched("{kind: climb, fresh: 0.0}"))
    points, over = json.loads(python(installed, "-c", ASKED, study, tmp_path / "store").stdout)
    assert over
    assert len(points) == 12
    for number in range(1, len(points)):
        best = min(points[:number], key=lambda point: abs(point["method.alpha1"] - 1.0))
        assert sum(best[key] != points[number][key] for key in best) == 1  # one value of the best so far is drawn anew


def test_a_key_that_the_algorithm_lacks_is_told_with_its_place(installed: Path, tmp_path: Path):
    study = tmp_path / "study.yaml"
    study.write_text(searched("{kind: climb, frsh: 0.1}"))
    said = python(installed, "-m", "orchestrator.cli", "check", study, code=2).stderr
    assert "search.algorithm.frsh: unknown key (did you mean fresh?)" in said


def test_a_view_stands_in_the_list_of_the_page_and_in_the_exported_script(installed: Path):
    program = "from dashboards.web.bundle import script, read; print(read('app/views.js')); print(script())"
    said = python(installed, "-c", program).stdout
    assert re.search(r"export const VIEWS = \[.*failures, slowest\];", said)
    assert 'modules["app/views/slowest.js"] = ' in said


def test_a_platform_renders_its_files(installed: Path):
    said = python(installed, "-m", "orchestrator.cli", "cluster", "render", installed / "cluster.yaml").stdout
    assert "# ---- lab.pbs\n#!/bin/bash\n#PBS -q gpu\n#PBS -l select=4:ncpus=16:mem=64gb:ngpus=2\n" in said


def test_a_platform_refuses_what_it_cannot_provide(installed: Path, tmp_path: Path):
    file = tmp_path / "cluster.yaml"
    file.write_text((installed / "cluster.yaml").read_text().replace("kind: folder", "kind: nfs, server: fs"))
    said = python(installed, "-m", "orchestrator.cli", "cluster", "render", file, code=2).stderr
    assert "pbs cannot have storage of kind nfs, which is for aws, gcp, machines or kubernetes" in said


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("my_lab.terms:Missing", "cannot be loaded: AttributeError: "),
        ("json:dumps", "is no type, but a function"),
        ("pathlib:Path", "pathlib.Path is no TermSection"),
        ("trainers.schema.terms:Pkd", "has the kind pkd, which another one has"),
    ],
)
def test_a_broken_package_ends_a_command_with_one_sentence(installed: Path, tmp_path: Path, place: str, reason: str):
    (tmp_path / "my_lab").symlink_to(installed / "my_lab")
    register(tmp_path, {"name": "my-lab", "entry-points": {"stillhouse.terms": {"score-mse": place}}})
    said = python(tmp_path, "-m", "orchestrator.cli", "methods", code=2).stderr
    assert said.startswith("stillhouse: ")
    assert "stillhouse.terms" in said
    assert reason in said
    assert said.count("\n") == 1


def searched(algorithm: str) -> str:
    """Return a study that is searched by an algorithm."""
    study = VALID[: VALID.index("search:")]
    space = "{method.alpha1: {uniform: [0.0, 2.0]}, schedule.lr: {loguniform: [0.001, 0.1]}}"
    return f"{study}search: {{algorithm: {algorithm}, samples: 12, space: {space}, baseline: false}}\n"
