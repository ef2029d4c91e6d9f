"""Every check of a path refuses each kind of way out of its folder: up, absolute, through a sibling, through a link."""

from pathlib import Path

import pytest

import trainers.detectors.detector as detectors
import trainers.schema.zoo as zoo
from dashboards.predictions import kind_of
from orchestrator.storage.mirror import parsed
from trainers.errors import TrialError
from trainers.schema.file_names import NameRefused, require_below
from trainers.schema.manifest import MANIFEST, read_manifest
from trainers.schema.record import DamagedFile

UP = ["../x", "..", "a/../../x", "a/b/../../../x"]
ABSOLUTE = ["/etc/passwd", "//server/x", "/"]
ELSEWHERE = ["C:\\x", "c:/x", "\\\\server\\share", "~/x", "file:///x", "file:x", "http://host/x", "s3://bucket/x"]


@pytest.mark.parametrize("name", [*UP, *ABSOLUTE, *ELSEWHERE, "a\nb", "a\0b", "a/../b", "x" * 256, f"a/{'é' * 128}"])
def test_a_name_below_a_folder(name):
    with pytest.raises(NameRefused, match="must stay below root, got"):
        require_below(name)


@pytest.mark.parametrize(
    "name", ["a", "a/b", "..a/b..", "a b", "x" * 255, f"a/{'é' * 127}", "a:b", "~a", "1:/x", "C:x", "..."]
)
def test_a_name_that_only_looks_like_a_way_out_stays(name):
    assert require_below(name) == name


@pytest.mark.parametrize("end", ["", ".json", "/x.json"])
@pytest.mark.parametrize(
    "path",
    [
        *UP,
        *ABSOLUTE,
        *ELSEWHERE,
        *(f"predictions/{path}" for path in [*UP, *ABSOLUTE, "\\\\server\\share", "http://host/x"]),
    ],
)
def test_a_file_that_pages_may_ask_for(path, end):
    if path.endswith("..") and end == ".json":
        path += "/"  # "...json" is a name
    assert kind_of(path + end) is None


@pytest.mark.parametrize(
    "path",
    ["predictions/./x.json", "predictions//x.json", "predictions/x.json/", "predictions/a\\x.json", "predictions/a\nx.json",
     "predictions", "predictions/", "predictions-2/x.json", "xpredictions/x.json", "predictions/x.js", "predictions/x.html",
     "predictions/json", "predictions/x.json.gz", "error.txt/x.json", f"predictions/{'x' * 283}.json", "Error.txt"],
)  # fmt: skip
def test_a_path_beside_those_that_pages_may_ask_for(path):
    assert kind_of(path) is None


def test_paths_that_pages_may_ask_for():
    assert kind_of("predictions/images/a.b.jpg") == "image/jpeg"
    assert kind_of(f"predictions/{'x' * 282}.json") == "application/json"
    assert kind_of("error.txt") == "text/plain; charset=utf-8"


@pytest.mark.parametrize("name", [*UP, *ABSOLUTE[:1], "a/x", "./x"])
def test_a_file_that_a_manifest_lists(name, tmp_path):
    entry = f'{{"file": "{name}", "step": 1, "size": 1, "sha256": "00"}}'
    for states, students in ((f"[{entry}]", "{}"), ("[]", f'{{"best.pth": {entry}}}')):
        (tmp_path / MANIFEST).write_text(f'{{"format": 1, "states": {states}, "students": {students}}}')
        with pytest.raises(DamagedFile, match="is damaged"):
            read_manifest(tmp_path)


@pytest.mark.parametrize("name", [*UP, *ABSOLUTE, "a/x", "./x", ".hidden"])
def test_a_file_that_the_index_of_a_mirror_lists(name):
    assert parsed(f'{{"{name}": "{"0" * 64}"}}'.encode()) == {}


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of shipped detector configs, with a sibling of a longer name and a link that leads there."""
    folder = tmp_path / "detectors"
    (folder / "a").mkdir(parents=True)
    (tmp_path / "detectors-2").mkdir()
    for path in (folder / "a" / "x.py", tmp_path / "detectors-2" / "x.py"):
        path.touch()
    (folder / "link").symlink_to(tmp_path / "detectors-2")
    monkeypatch.setattr(zoo, "configs_dir", lambda: tmp_path)
    return folder


OUT = ["../x.py", "../detectors-2/x.py", "a/../../x.py", "/etc/passwd", "link/x.py", ".."]


@pytest.mark.parametrize("path", OUT)
def test_a_detector_config_that_stillhouse_ships(path, shipped):
    with pytest.raises(ValueError, match="leads out of the detector configs"):
        zoo.own_config(f"stillhouse::{path}")


def test_a_detector_config_inside_the_folder_is_found(shipped):
    assert zoo.own_config("stillhouse::a/../a/x.py").resolve() == shipped / "a" / "x.py"


@pytest.mark.parametrize("path", OUT)
def test_a_detector_config_that_mmdet_ships(path, tmp_path, monkeypatch):
    folder = tmp_path / "mmdet" / ".mim" / "configs"
    folder.mkdir(parents=True)
    (folder.parent / "detectors-2").mkdir()
    (folder / "link").symlink_to(folder.parent / "detectors-2")
    spec = type("Spec", (), {"origin": str(tmp_path / "mmdet" / "__init__.py")})
    monkeypatch.setattr(detectors, "find_spec", lambda name: spec)
    with pytest.raises(TrialError, match="leads out of mmdet's configs"):
        detectors._mmdet_config(f"mmdet::{path}")
    assert detectors._mmdet_config("mmdet::a.py") == folder / "a.py"
