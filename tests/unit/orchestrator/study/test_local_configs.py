"""A local config counts with everything that it reads, and what it says and does not get is told."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.api import Study
from orchestrator.core.findings import StudyErrors
from orchestrator.core.store import Store
from orchestrator.execution.prepare import require_runnable
from orchestrator.plan.digests import file_digest
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.weights import config_digest
from orchestrator.study.load import load_study
from orchestrator.study.local_configs import config_findings
from tests.unit.orchestrator.command import runner
from tests.unit.orchestrator.planning import LAPTOP, ids
from tests.unit.orchestrator.study_text import VALID, write
from trainers.schema import Detector, zoo
from trainers.schema.config_files import read_config

GFL = "mmdet::gfl/gfl_r50_fpn_1x_coco.py"
MODEL = "model = dict(type='GFL', bbox_head=dict(type='GFLHead', reg_max=16))\n"
Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Return a function that writes files, by name, and returns the first one's path."""
    monkeypatch.chdir(tmp_path)

    def files(others: dict[str, str] | None = None, **texts: str) -> Path:
        for name, text in {**(others or {}), **texts}.items():
            path = tmp_path / name.replace("_py", ".py").replace("_json", ".json")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "leaf.py"

    return files


def digest(path: Path) -> str:
    return config_digest(Detector(config=str(path)))


def problems(path: Path) -> list[str]:
    return [f"{line}: {message}" for line, message in read_config(path).problems]


def changed(path: Path, other: Path, text: str = "\nmodel = dict(bbox_head=dict(reg_max=4))\n") -> bool:
    """Tell whether adding ``text`` to ``other`` changes the identity of the config at ``path``."""
    before = digest(path)
    assert digest(path) == before
    other.parent.mkdir(parents=True, exist_ok=True)
    with other.open("a") as stream:
        stream.write(text)
    return digest(path) != before


BASES = {  # how a config names what it builds on, and the file that this is
    "a name": ("_base_ = './base.py'\n", "base.py"),
    "a name above": ("_base_ = '../base.py'\n", "../base.py"),
    "a list": ("_base_ = ['other.py', 'base.py']\n", "base.py"),
    "a tuple written as names": ("here = 1\n_base_ = ['ba' + 'se.py']\n", "base.py"),
    "in a folder": ("_base_ = ['./_base_/models/base.py']\n", "_base_/models/base.py"),
    "beside itself": ("_base_ = '{{ fileDirname }}/base.py'\n", "base.py"),
    "by its own name": ("_base_ = '{{fileBasenameNoExtension}}_base.py'\n", "leaf_base.py"),
    "by a default": ("_base_ = '{{$STILLHOUSE_NO_SUCH:base.py}}'\n", "base.py"),
    "JSON": ("_base_ = 'base.json'\n", "base.json"),
    "YAML": ("_base_ = 'base.yaml'\n", "base.yaml"),
    "read_base": ("from mmengine.config import read_base\nwith read_base():\n    from .base import *\n", "base.py"),
    "read_base from a folder": (
        "from mmengine.config import read_base\nwith read_base():\n    from ._base_.models.base import model\n",
        "_base_/models/base.py",
    ),
}


@pytest.mark.parametrize("form", BASES)
def test_editing_a_base_makes_another_trial(form: str, tmp_path: Path) -> None:
    text, name = BASES[form]
    folder = tmp_path / "configs"
    base = folder / name
    contents = {".py": MODEL, ".json": '{"model": {"type": "GFL"}}', ".yaml": "model: {type: GFL}\n"}
    base.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    base.write_text(contents[base.suffix])
    (folder / "other.py").write_text("lr = 0.1\n")
    leaf = folder / "leaf.py"
    leaf.write_text(text)
    assert not problems(leaf)
    assert digest(leaf) != file_digest(leaf)
    assert read_config(leaf).values["model"]["type"] == "GFL"
    assert changed(leaf, base, "\n")


def test_a_base_of_a_base_counts_and_json_and_yaml_have_bases_too(folder: Folder) -> None:
    leaf = folder(leaf_py="_base_ = 'middle.json'\n", middle_json='{"_base_": ["root.py"]}', root_py=MODEL)
    assert read_config(leaf).values["model"]["bbox_head"]["reg_max"] == 16
    assert changed(leaf, leaf.parent / "root.py")


def test_a_config_that_reads_nothing_else_keeps_its_name(folder: Folder) -> None:
    for text in (
        MODEL,
        "import copy\nfrom mmdet.models import GFL\n" + MODEL,
        "from mmengine.config import read_base\n",
    ):
        leaf = folder(leaf_py=text)
        assert digest(leaf) == file_digest(leaf)


def test_a_config_counts_by_content_wherever_it_lies(folder: Folder, tmp_path: Path) -> None:
    leaf = folder(leaf_py=f"_base_ = ['base.py']\n{MODEL}", base_py="lr = 1\n")
    there = shutil.copytree(tmp_path, tmp_path / "there")
    assert digest(there / "leaf.py") == digest(leaf)


def test_a_shipped_base_counts_by_name_and_release(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    leaf = folder(leaf_py=f"_base_ = '{GFL}'\n")
    config = read_config(leaf)
    assert not config.problems
    assert config.values["model"]["bbox_head"]["reg_max"] == 16
    assert list(config.shipped) == [GFL]
    before = digest(leaf)
    monkeypatch.setattr("trainers.schema.config_files.version", lambda name: "another")
    assert digest(leaf) != before


def test_environment_variables_count_by_value(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in (
        "x = {{'$REG_MAX:16'}}\n",
        "import os\nx = os.environ['REG_MAX']\n",
        "import os\nx = os.getenv('REG_MAX')\n",
        "import os\nx = os.getenv(key='REG_MAX', default='2')\n",
        "import os as o\nx = o.environ.setdefault('REG_MAX', '2')\n",
        "from os import getenv as g\nx = g('REG_MAX')\n",
        "from os import environ as e\nx = e.get('REG_MAX')\n",
        "import os\nenvironment = os.environ\nx = environment['REG_MAX']\n",
        "import os\nget = os.environ.get\nx = get('REG_MAX')\n",
        "import os\nx = 1 if 'REG_MAX' in os.environ and os.environ['REG_MAX'] == '4' else 2\n",
        "from os.path import expandvars\nx = expandvars('${REG_MAX}')\n",
    ):
        leaf = folder(leaf_py="_base_ = []\n" + text)
        found = set()
        for value in ("4", "8"):
            monkeypatch.setenv("REG_MAX", value)
            assert not problems(leaf)
            found.add(digest(leaf))
        assert len(found) == 2


IMPORTS = {
    "custom_imports": "custom_imports = dict(imports=['mine.heads'])\n",
    "custom_imports by string": "custom_imports = dict(imports='mine.heads', allow_failed_imports=False)\n",
    "import": "_base_ = []\nimport mine.heads\n",
    "from import": "from mine.heads import Head\n",
    "from package import module": "from mine import heads\n",
    "import_module": "import importlib\nimportlib.import_module('mine.heads')\n",
}


@pytest.mark.parametrize("form", IMPORTS)
def test_modules_of_the_project_count_by_content(form: str, folder: Folder) -> None:
    modules = {
        "mine/__init__.py": "",
        "mine/heads.py": "from mine.losses import loss\nfrom .layers import layer\n",
        "mine/losses.py": "loss = 1\n",
        "mine/layers.py": "layer = 1\n",
        "mine/unused.py": "",
    }
    leaf = folder(modules, leaf_py=IMPORTS[form] + MODEL)
    project = leaf.parent / "mine"
    assert not problems(leaf)
    for name in ("heads.py", "losses.py", "layers.py", "__init__.py"):
        assert changed(leaf, project / name, "\nx = 2\n"), name
    assert not changed(leaf, project / "unused.py", "x = 2\n")


def test_a_module_that_chooses_what_it_imports_counts_with_its_folder(folder: Folder) -> None:
    choosing = "import importlib\nfor name in open('x'):\n    importlib.import_module(name)\n"
    leaf = folder(
        {"mine/__init__.py": choosing, "mine/deep/head.py": ""}, leaf_py="custom_imports = dict(imports=['mine'])\n"
    )
    assert changed(leaf, leaf.parent / "mine" / "deep" / "head.py", "x = 2\n")


def test_installed_packages_count_by_release(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    leaf = folder(leaf_py="custom_imports = dict(imports=['yaml'])\n")
    assert [name.split()[0] for name in read_config(leaf).imported.packages.values()] == ["PyYAML"]
    assert not problems(leaf)
    assert list(read_config(leaf).files) == [leaf]


@pytest.mark.parametrize(
    "text",
    [
        "names = open('extra.txt').read().split()\n",
        "import json\nwith open('extra.txt') as f:\n    x = json.load(f)\n",
        "from pathlib import Path\nx = Path('extra.txt').read_text()\n",
        "import os.path as osp\nx = open(osp.join('{{fileDirname}}', 'extra.txt'))\n",
        "import json as j\nfrom io import open as o\nx = j.load(o('extra.txt'))\n",
        "from json import load\nx = load(open('extra.txt'))\n",
        "from mmengine import fileio\nx = fileio.load('extra.txt')\n",
        "from mmengine.config import Config\nx = Config.fromfile('extra.txt')\n",
        "model = dict(bbox_head=dict(init_cfg=dict(type='Pretrained', checkpoint='extra.txt')))\n",
        "model = dict(neck=dict(embeddings=['./extra.txt']))\n",
    ],
)
def test_files_that_a_config_opens_or_its_model_names_count_by_content(text: str, folder: Folder) -> None:
    leaf = folder(leaf_py="_base_ = []\n" + text)
    extra = leaf.parent / "extra.txt"
    extra.write_text("a b c")
    assert not problems(leaf)
    assert changed(leaf, extra, "d")


@pytest.mark.parametrize("text", ["x = open('extra.txt', 'rb').read()\n", "model = dict(neck=dict(x='./extra.txt'))\n"])
def test_files_count_by_content_whatever_their_size(text: str, folder: Folder) -> None:
    leaf = folder(leaf_py="_base_ = []\n" + text)
    extra = leaf.parent / "extra.txt"
    with extra.open("wb") as stream:
        stream.truncate(65 << 20)
    before = digest(leaf)
    with extra.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"d")
    assert digest(leaf) != before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("_base_ = 'gone.py'\n", "no such file"),
        ("_base_ = 'mmdet::gfl/gone.py'\n", "no such file"),
        ("_base_ = 'stillhouse::gfl_r18_fpn.py'\n", "does not know"),
        ("_base_ = 'nobodys_zoo::gfl/x.py'\n", "not installed"),
        ("_base_ = [name for name in names]\n", "lists its base files other than"),
        ("_base_ = './leaf.py'\n", "builds on itself"),
        ("custom_imports = dict(imports=['nobodys.heads'])\n", "nobodys.heads"),
        ("custom_imports = names()\n", "custom_imports"),
        ("_base_ = []\nimport nobodys\n", "imports nobodys"),
        ("_base_ = []\nx = open(name)\n", "opens a file whose name"),
        ("_base_ = []\nx = open('gone.txt')\n", "gone.txt, which is no file"),
        ("import glob\nx = glob.glob('*.json')\n", "lists a folder"),
        ("import subprocess\nx = subprocess.run(['git'])\n", "runs something"),
        ("exec(text)\n", "runs something"),
        ("_base_ = []\nx = '{{$STILLHOUSE_NO_SUCH:}}'\n", "STILLHOUSE_NO_SUCH"),
        ("import os\nx = os.environ[name]\n", "environment variable"),
        ("import os\nx = dict(os.environ)\n", "environment variable"),
        ("import os\ne = os.environ\nx = sorted(e)\n", "environment variable"),
        ("import os\nx = os.path.expandvars(name)\n", "environment variable"),
        ("import subprocess as sp\nx = sp.run(['git'])\n", "runs something"),
        ("from subprocess import check_output\nx = check_output(['git'])\n", "runs something"),
        ("from os import popen as ask\nx = ask('nproc').read()\n", "runs something"),
        ("from os import listdir as names\nx = names('.')\n", "lists a folder"),
        ("model = dict(\n", "was never closed"),
    ],
)
def test_a_config_whose_content_cannot_be_told_is_refused(text: str, words: str, folder: Folder) -> None:
    leaf = folder(leaf_py=text)
    found = problems(leaf)
    assert len(found) == 1, found
    assert words in found[0]
    assert found[0].startswith(str(leaf))


def test_nothing_in_a_config_is_run(folder: Folder) -> None:
    leaf = folder(
        leaf_py="_base_ = 'base.py'\ncustom_imports = dict(imports=['evil'])\nopen('written', 'w')\n",
        base_py="raise SystemExit\n",
        evil_py="open('written', 'w')\n",
    )
    read_config(leaf)
    assert not (leaf.parent / "written").exists()


# --- what is not used -------------------------------------------------------------------------------------------------


def plan(leaf: Path, store: str = "store", **sets: str) -> Plan:
    student = f"student:\n  config: {leaf}\n  weights: {sets.pop('weights', 'random')}\n"
    text = VALID.replace(f"student:\n  config: {GFL}\n  weights: random\n", student)
    assert student in text
    loaded = load_study(write(leaf.parent, text), [f"{key}={value}" for key, value in sets.items()], trust_python=True)
    return make_plan(loaded, Store(leaf.parent / store), LAPTOP)


def told(leaf: Path, **sets: str) -> list[str]:
    """Return what a plan says of the config, without the folder's name."""
    return [str(found).replace(f"{leaf.parent}/", "") for found in config_findings(plan(leaf, **sets).study)]


def test_editing_a_base_plans_another_trial(folder: Folder) -> None:
    leaf = folder(leaf_py="_base_ = 'base.py'\n", base_py=f"_base_ = '{GFL}'\n")
    before = ids(plan(leaf))
    folder(base_py=f"_base_ = '{GFL}'\nmodel = dict(bbox_head=dict(reg_max=4, stacked_convs=1))\n")
    assert not set(ids(plan(leaf))[1:]) & set(before)


def test_a_job_holds_a_trial_to_the_files_that_its_id_stands_for(folder: Folder) -> None:
    leaf = folder(leaf_py="_base_ = 'base.py'\n", base_py=f"_base_ = '{GFL}'\n")
    made = plan(leaf)
    base = leaf.parent / "base.py"
    held = {trial.role: made.job(trial).inputs for trial in made.trials}
    assert held["teacher"] == {}
    assert held["student"] == {str(leaf): file_digest(leaf), str(base): file_digest(base)}
    base.write_text(f"_base_ = '{GFL}'\nmodel = dict(bbox_head=dict(reg_max=4))\n")
    assert made.job(made.students[0]).inputs == held["student"]  # the plan is older than the edit


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("load_from = 'coco.pth'\n", "leaf.py:2: load_from: training would not start from coco.pth"),
        ("load_from = f()\n", "leaf.py:2: load_from: "),
        ("resume = True\n", "leaf.py:2: resume: "),
        ("resume_from = 'last.pth'\n", "leaf.py:2: resume_from: "),
        ("model = dict(\n    init_cfg=dict(type='Pretrained', checkpoint='x.pth'))\n", "leaf.py:3: model.init_cfg: "),
        ("model = dict(pretrained='torchvision://resnet50')\n", "leaf.py:2: model.pretrained: "),
        (
            "train_cfg = dict(assigner=dict(type='X', topk=3))\n",
            "leaf.py:2: train_cfg: mmdet 3 reads these settings as model",
        ),
        ("test_cfg = dict(score_thr=0.5)\n", "leaf.py:2: test_cfg: mmdet 3 reads these settings as model.test_cfg"),
        ("train_cfg = dict(assigner=dict(type='X'), _delete_=True)\nmodel = dict(train_cfg=None)\n", ""),
    ],
)
def test_what_would_change_the_meaning_is_an_error(text: str, where: str, folder: Folder) -> None:
    leaf = folder(leaf_py=f"_base_ = '{GFL}'\n{text}")
    errors = [line for line in told(leaf) if "note" not in line]
    if not where:
        assert errors == []
        return
    assert len(errors) == 1
    assert errors[0].startswith(where)
    with pytest.raises(StudyErrors):
        require_runnable(plan(leaf))


def test_an_error_of_a_base_names_the_bases_line_and_a_leaf_can_mend_it(folder: Folder) -> None:
    leaf = folder(leaf_py="_base_ = 'base.py'\n", base_py=f"_base_ = '{GFL}'\nload_from = 'x.pth'\n")
    assert [line.split(": training")[0] for line in told(leaf)] == ["base.py:2: load_from"]
    folder(leaf_py="_base_ = 'base.py'\nload_from = None\n")
    assert told(leaf) == []


def test_sections_that_the_study_replaces_are_named_in_one_note(folder: Folder) -> None:
    leaf = folder(
        leaf_py=f"_base_ = ['{GFL}', 'schedule.py']\nmax_epochs = 30\n"
        "train_dataloader = dict(batch_size=4)\nmodel = dict(bbox_head=dict(num_classes=7))\n",
        schedule_py="momentum_config = dict(x=0.02)\nlr = 3\n",
    )
    [note] = told(leaf)
    assert note.startswith("leaf.py:2: note: not used")
    assert note.endswith("; momentum_config in schedule.py")
    for name in ("max_epochs", "train_dataloader", "model.bbox_head.num_classes (the dataset has "):
        assert name in note


def test_a_preprocessor_that_the_model_takes_is_used(folder: Folder) -> None:
    text = "data_preprocessor = dict(type='DetDataPreprocessor', pad_size_divisor=32)\n"
    leaf = folder(leaf_py=text + "model = dict(type='GFL', data_preprocessor=data_preprocessor)\n")
    assert told(leaf) == []
    folder(leaf_py=text + "model = dict(type='GFL')\n")
    assert "data_preprocessor" in told(leaf)[0]


def test_a_backbones_own_checkpoint_is_not_passed_over(folder: Folder) -> None:
    own = "model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='{}')))\n"
    leaf = folder(leaf_py=f"_base_ = '{GFL}'\n" + own.format("mine/backbone.pth"))
    assert "is not loaded" in told(leaf)[0]
    assert told(leaf)[0].startswith("leaf.py:2: model.backbone.init_cfg.checkpoint: warning: ")
    assert told(leaf, weights="imagenet")[0].startswith(
        "leaf.py:2: model.backbone.init_cfg.checkpoint: mine/backbone.pth"
    )
    folder(leaf_py=f"_base_ = '{GFL}'\n" + own.format("torchvision://resnet101"))
    assert told(leaf) == told(leaf, weights="imagenet") == []


def test_shipped_configs_make_no_noise(folder: Folder) -> None:
    """All the configs of the heads that can be distilled, each as the base of a local config."""
    for number, name in enumerate(zoo.config_names()):
        found = zoo.find_config(name)
        if not name.startswith("mmdet::") or found is None or not found.head or number % 8:
            continue
        leaf = folder(leaf_py=f"_base_ = '{name}'\n")
        config = read_config(leaf)
        assert not config.problems, name
        assert isinstance(config.values["model"], dict)


def test_python_hears_what_the_check_command_says(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    leaf = folder(leaf_py=f"_base_ = '{GFL}'\noptim_wrapper = dict()\n")
    plan(leaf)
    study = next(leaf.parent.glob("*.yaml"))
    lines = runner(capsys)("check", study, "--trust-config").complaints
    assert [str(finding) for finding in Study.load(study, trust_config=True).check()] == lines
    assert any("note: not used" in line for line in lines)
    leaf.write_text(f"_base_ = '{GFL}'\nload_from = 'x.pth'\n")
    with pytest.raises(StudyErrors, match="load_from: training would not start"):
        Study.load(study, trust_config=True).check()


def test_a_change_of_the_working_directory_is_noticed(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf = folder({"there/x.py": ""}, leaf_py="_base_ = []\nx = open('extra.txt')\n")
    (tmp_path / "extra.txt").touch()
    assert not problems(leaf)
    monkeypatch.chdir(tmp_path / "there")
    assert problems(leaf)
