"""What is read from the text of a config and of the modules that it imports: lines, variables, names, kinds."""

import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from trainers.schema import DatasetSpec
from trainers.schema.config_modules import Imported, _absolute, follow, locate
from trainers.schema.config_text import PythonConfig, Unreadable, read_data
from trainers.schema.image_pipeline import LATER_KEYS


def written(folder: Path, text: str, name: str = "config.py") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("c.yaml", "# c\na: 1\nb:\n  a: 2\n  e: 1\n'c': 3\n\"d\": 4\n", {"a": 2, "b": 3, "c": 6, "d": 7}),
        ("c.json", '{\n"a": 1, "b": 2,\n"c": {\n "a": 3}}', {"a": 2, "c": 3}),
    ],
)
def test_keys_of_a_data_file_have_their_first_lines(name, text, lines, tmp_path):
    assert read_data(written(tmp_path, text, name)).lines == {(key,): line for key, line in lines.items()}


def test_bases_of_a_data_file_stand_apart_and_what_is_no_mapping_is_refused(tmp_path):
    found = read_data(written(tmp_path, "_base_: [x.py, 1]\na: 1\n", "c.yaml"))
    assert ([base.name for base in found.bases], found.values) == (["x.py"], {"a": 1})
    assert "other than as plain text" in found.problems[0].name
    for text in ("[1]", "1", ""):
        with pytest.raises(Unreadable, match="holds no keys"):
            read_data(written(tmp_path, text, "c.yaml"))


def read(folder: Path, text: str) -> PythonConfig:
    return PythonConfig(written(folder, text))


def test_all_variables_that_a_text_expands_count(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRST_ONE", "1")
    monkeypatch.delenv("SECOND_ONE", raising=False)
    config = read(
        tmp_path, "import os\na = os.path.expandvars('$FIRST_ONE/${SECOND_ONE}/x')\nb = os.getenv('FIRST_ONE')\n"
    ).evaluate({})
    assert config.variables == {"FIRST_ONE": "1", "SECOND_ONE": None}


@pytest.mark.parametrize(
    ("text", "lazy"),
    [
        ("a = 1", False), ("import os, re", False), ("import os, torch", True), ("from torch import nn", True), ("from mmengine import Config", False),
        ("from mmengine import Config, ConfigDict", True), ("from mmengine.config import read_base", False), ("import mmengine.config.lazy", False),
        ("from mmengine.config.new_config import read_base", False), ("import mmengine", True), ("from . import x", True),
        ("with open('x'):\n    pass", True), ("_base_ = []\nimport torch", False), ("import torch\n_base_ = []", True),
    ],
)  # fmt: skip
def test_a_config_is_lazy_as_mmengine_has_it(text, lazy, tmp_path):
    assert read(tmp_path, text).text.lazy is lazy


@pytest.mark.parametrize(
    "package", ["mmengine", "mmdet", "mmcv", "torch", "torchvision", "numpy", "trainers", "orchestrator", "os", "json"]
)
@pytest.mark.parametrize("inner", ["", ".no_such_part"])
def test_modules_of_the_environment_are_neither_followed_nor_missed(package, inner):
    found = Imported()
    assert follow([package + inner], found) == []
    assert (found.files, found.packages) == ({}, {})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with packages within packages."""
    for name in ("own_a/__init__.py", "own_a/b/__init__.py", "own_a/b/c/__init__.py", "own_a/b/c/d.py", "own_plain.py"):
        written(tmp_path, "", name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    return tmp_path


def test_a_module_is_found_however_deep_it_lies(project):
    for name, file in (
        ("own_plain", "own_plain.py"),
        ("own_a", "own_a/__init__.py"),
        ("own_a.b.c", "own_a/b/c/__init__.py"),
        ("own_a.b.c.d", "own_a/b/c/d.py"),
    ):
        assert locate(name).origin == str(project / file)
    for name in ("own_a.x", "own_a.b.c.d.e", "own_plain.x", "own_none"):
        assert locate(name) is None


def test_a_module_counts_with_the_packages_that_it_lies_in_and_what_it_imports(project):
    written(
        project,
        "from ... import sibling\nfrom .. import b as renamed\nimport own_plain\nfrom . import no_such\n",
        "own_a/b/c/d.py",
    )
    written(project, "", "own_a/sibling.py")
    found = Imported()
    assert follow(["own_a.b.c.d", "own_missing", "numpy"], found) == ["own_missing"]
    assert {str(path.relative_to(project)) for path in found.files} == {
        "own_a/__init__.py", "own_a/b/__init__.py", "own_a/b/c/__init__.py", "own_a/b/c/d.py", "own_a/sibling.py", "own_plain.py"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "package", "absolute"),
    [
        ("x.y", "a.b", "x.y"), (".x", "a.b", "a.b.x"), ("..x", "a.b", "a.x"), ("...x", "a.b", "x"), ("....x", "a.b", None), (".", "a.b", "a.b"),
        ("..", "a.b", "a"), ("...", "a.b", None), (".x", "", "x"), ("..x", "", None),
    ],
)  # fmt: skip
def test_relative_imports_are_those_of_python(name, package, absolute):
    assert _absolute(name, package) == absolute


def test_keys_of_later_releases_change_no_identity_at_their_defaults():
    later = {
        "repeat", "augmentation", "mosaic", "multi_scale", "batch_scales", "pad_to_square", "test_size", "images_digest", "max_detections",
        "min_side", "exif", "bit_depth", "split", "keep_empty",
    }  # fmt: skip
    assert set(LATER_KEYS) == later
    spec = TypeAdapter(DatasetSpec).validate_python({"kind": "coco", "root": "/c", "classes": ("a",)})
    assert set(spec.identity()) & later == set()
    assert set(spec.identity()) | later >= set(spec.model_dump(mode="json")) - {"root", "evaluator", "test"}
