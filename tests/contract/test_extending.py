"""The code of docs/extending.md, installed as a package of somebody else's, adds one of each thing that can be added."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from orchestrator.study.json_schema import shipped_schema
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


def python(
    folder: Path, *arguments: object, code: int = 0, variables: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python where the package is installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))), "CUDA_VISIBLE_DEVICES": ""}
    environment |= variables or {}
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
    assert found["losses"]["channel_means"] > 0
    assert found["trained"]
    assert found["connector_trained"]


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


def test_the_schema_of_the_installation_knows_the_kinds_of_the_package(installed: Path, tmp_path: Path):
    python(installed, "-m", "orchestrator.cli", "schema", "--output", tmp_path / "study.json")
    mine = Draft7Validator(json.loads((tmp_path / "study.json").read_text(encoding="utf-8")))
    shipped = Draft7Validator(json.loads(shipped_schema().read_text(encoding="utf-8")))
    study = {
        "base": "stillhouse::studies/quickstart.yaml",
        "method": {"kind": "terms", "terms": [{"kind": "score-mse", "weight": 2.0}, {"kind": "pkd"}]},
        "search": {"algorithm": {"kind": "climb", "fresh": 0.1}},
    }
    assert list(mine.iter_errors(study)) == []
    assert len(list(shipped.iter_errors(study))) == 2
    study["search"]["algorithm"]["fresh"] = 2
    assert [error.json_path for error in mine.iter_errors(study)] == ["$.search.algorithm"]


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
        ("json:dumps", "is no class, but of type function"),
        ("pathlib:Path", "is pathlib.Path, which is no TermSection"),
        ("trainers.schema.terms:Pkd", "has the kind pkd, which trainers.schema.terms.Pkd has too"),
        ("my_broken:NeedsNothing", "of package my-lab does not set the class variable NEEDS of TermSection"),
        ("my_broken:ComputesNothing", "of package my-lab does not set the class variable computed_by of TermSection"),
        ("my_broken:NeedsText", "needs 'features', which is no member of Need: LOGITS, BOXES, "),
        ("my_quitter:Gone", "cannot be loaded: SystemExit: 3"),
    ],
)
def test_a_broken_term_ends_a_command_with_one_sentence(installed: Path, tmp_path: Path, place: str, reason: str):
    assert reason in refusal(installed, tmp_path, "stillhouse.terms", place)


@pytest.mark.parametrize(
    ("group", "place", "reason"),
    [
        ("stillhouse.heads", "my_lab.heads:MISSING", "of package my-lab cannot be loaded: AttributeError: "),
        ("stillhouse.heads", "my_lab.terms:ScoreMse", "is no HeadSpec, but of type ModelMetaclass"),
        (
            "stillhouse.heads",
            "my_broken:SECOND_GFL",
            "has an adapter already, trainers.distill.adapters.gfl:GflAdapter",
        ),
        ("stillhouse.heads", "my_broken:GIVES_TEXT", "gives 'logits', which is no member of Need: LOGITS, BOXES, "),
        ("stillhouse.algorithms", "my_broken:Aimless", "does not set the class variable sampler of Algorithm"),
        ("stillhouse.platforms", "my_broken:Bare", "does not set the class variable renderer of Platform"),
    ],
)
def test_another_broken_part_ends_a_command_with_one_sentence(
    installed: Path, tmp_path: Path, group: str, place: str, reason: str
):
    assert reason in refusal(installed, tmp_path, group, place)


BROKEN = """
from typing import Literal
from orchestrator.clusters.platforms import Platform
from orchestrator.study.algorithms import Algorithm
from trainers.schema.heads import HeadSpec
from trainers.schema.terms import Need, TermSection

class NeedsNothing(TermSection):
    computed_by = "my_lab.losses:ScoreMseTerm"
    kind: Literal["broken"]
    weight: float = 1.0

class ComputesNothing(TermSection):
    NEEDS = frozenset({Need.LOGITS})
    kind: Literal["broken"]
    weight: float = 1.0

class NeedsText(ComputesNothing):
    NEEDS = frozenset({"features"})
    computed_by = "my_lab.losses:ScoreMseTerm"

class Aimless(Algorithm):
    kind: Literal["aimless"]

class Bare(Platform):
    storages = frozenset({"folder"})
    kind: Literal["bare"]

SECOND_GFL = HeadSpec("GFLHead", "mine", "my_lab.adapters:RetinaSepBnAdapter", frozenset({Need.LOGITS}))
GIVES_TEXT = HeadSpec("OwnHead", "mine", "my_lab.adapters:RetinaSepBnAdapter", frozenset({"logits"}))
"""


def refusal(installed: Path, folder: Path, group: str, place: str) -> str:
    """Return the one sentence with which a command refuses a package that names ``place`` in ``group``."""
    (folder / "my_lab").symlink_to(installed / "my_lab")
    (folder / "my_broken.py").write_text(BROKEN)
    (folder / "my_quitter.py").write_text("import sys\nsys.exit(3)\n")
    register(folder, {"name": "my-lab", "entry-points": {group: {"broken": place}}})
    file = folder / "cluster.yaml"
    file.write_text(named_blocks()["cluster.yaml"])
    command = ["cluster", "render", file] if group == "stillhouse.platforms" else ["methods"]
    said = python(folder, "-m", "orchestrator.cli", *command, code=2).stderr
    assert said.startswith("stillhouse: ")
    assert group in said
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "my_lab.render:pbs",
            "my_lab.render:pbz",
            "my_lab.platforms.Pbs.renderer names my_lab.render:pbz, which cannot",
        ),
        ("my_lab.render:pbs", "my_lab.texts:pbs", "ModuleNotFoundError: No module named 'my_lab.texts'"),
        ("my_lab.render:pbs", "builtins:print", "builtins:print returned NoneType, not a dictionary"),
    ],
)
def test_a_renderer_that_is_not_there_is_told_in_one_sentence(
    installed: Path, tmp_path: Path, old: str, new: str, reason: str
):
    changed(installed, tmp_path, "platforms.py", old, new)
    said = python(tmp_path, "-m", "orchestrator.cli", "cluster", "render", installed / "cluster.yaml", code=2).stderr
    assert reason in said
    assert "Traceback" not in said


def test_a_term_whose_implementation_is_not_there_fails_before_anything_is_trained(installed: Path, tmp_path: Path):
    """The detectors are shipped ones, which are otherwise not built again."""
    study = tmp_path / "study.yaml"
    study.write_text(PROBED)
    changed(installed, tmp_path, "losses.py", "def focus", "def focsu")
    command = ["-m", "orchestrator.cli", "plan", study, "--store", tmp_path / "store"]
    said = python(tmp_path, *command, code=2, variables={"STILLHOUSE_CACHE": str(tmp_path / "cache")}).stdout
    place = "my_lab.terms.ScoreMse.computed_by names my_lab.losses:ScoreMseTerm"
    assert f"study.yaml:10: method.kind: cannot distil with terms: {place}, which lacks focus of " in said


PROBED = """
name: probed
dataset: {kind: shapes}
teacher:
  kind: train
  detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.125, weights: random}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.125, weights: random}
search: {baseline: false}
method:
  kind: terms
  terms: [{kind: score-mse}]
"""


def changed(installed: Path, folder: Path, name: str, old: str, new: str) -> None:
    """Install the page's package with a change in one of its files."""
    shutil.copytree(installed, folder, dirs_exist_ok=True)
    file = folder / "my_lab" / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def searched(algorithm: str) -> str:
    """Return a study that is searched by an algorithm."""
    study = VALID[: VALID.index("search:")]
    space = "{method.alpha1: {uniform: [0.0, 2.0]}, schedule.lr: {loguniform: [0.001, 0.1]}}"
    return f"{study}search: {{algorithm: {algorithm}, samples: 12, space: {space}, baseline: false}}\n"
