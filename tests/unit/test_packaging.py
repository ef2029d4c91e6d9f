"""The lock, the project file and the layout agree, and nothing in them ties the project to one machine."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = ("orchestrator", "trainers", "dashboards")
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*)(\[[a-z0-9,_-]+\])?==(?P<version>[^\s;]+)( ; .+)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def read_lock(text: str) -> dict[str, tuple[Version, int]]:
    """Return version and number of hashes of each requirement; any line that is not `name==version` fails."""
    locked: dict[str, tuple[Version, int]] = {}
    lines = [line for line in text.replace("\\\n", " ").splitlines() if not line.lstrip().startswith("#")]
    for line in filter(str.strip, lines):
        pin, *hashes = re.split(r"\s+(?=--hash)", line.strip())
        match = PIN.fullmatch(pin)
        assert match, f"not an exact pin: {pin!r}"
        assert all(HASH.fullmatch(item) for item in hashes), f"not a sha256: {hashes}"
        locked[canonicalize_name(match["name"])] = (Version(match["version"]), len(hashes))
    return locked


LOCKED = read_lock(LOCK)


def declared() -> list[Requirement]:
    """Return what pyproject.toml asks for, at run time and for development."""
    return [Requirement(text) for text in PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]]


def test_every_locked_requirement_has_a_hash():
    assert [name for name, (_, hashes) in LOCKED.items() if hashes == 0] == []


@pytest.mark.parametrize(
    "address",
    [r"://", r"file:", r"@\s", r"^\s*-[a-z-]*(index|find-links|trusted|editable)", r"(^|[\s(=])(~|\.{0,2})/", r"\w:\\"],
)
def test_lock_names_no_index_no_file_and_no_machine(address):
    assert re.findall(rf".*{address}.*", LOCK, flags=re.MULTILINE) == []


def test_lock_takes_the_registrys_builds():
    # A local version such as 2.13.0+cpu comes from somewhere else, and has no hash there.
    assert [name for name, (version, _) in LOCKED.items() if version.local] == []
    assert any(name.startswith("nvidia-") for name in LOCKED), "torch is not the CUDA build"


def test_lock_holds_opencv_without_a_screen_only():
    assert [name for name in LOCKED if name.startswith("opencv")] == ["opencv-python-headless"]


@pytest.mark.parametrize("requirement", declared(), ids=lambda requirement: requirement.name)
def test_lock_satisfies_the_project_file(requirement):
    version, _ = LOCKED[canonicalize_name(requirement.name)]
    assert version in requirement.specifier


def test_packages_come_from_this_checkout():
    # The names are generic: a published tool installs a top-level `orchestrator` too.
    specs = {name: importlib.util.find_spec(name) for name in PACKAGES}
    parents = {name: Path(spec.origin).parents[1] if spec and spec.origin else None for name, spec in specs.items()}
    assert parents == dict.fromkeys(PACKAGES, ROOT)


def test_wheel_holds_the_data_that_studies_need():
    from hatchling.builders.wheel import WheelBuilder

    held = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    data = [path for folder in ("zoo", "detectors", "studies") for path in (ROOT / "configs" / folder).rglob("*.*")]
    wanted = {
        f"orchestrator/_configs/{path.relative_to(ROOT / 'configs')}"
        for path in data
        if "__pycache__" not in path.parts
    }
    assert wanted <= held
    assert "stillhouse.py" in held
    assert {"orchestrator/_configs/detectors/index.json", "orchestrator/_configs/detectors/gfl_r18_fpn.py"} <= held


@pytest.mark.parametrize("folder", ["configs", "docker", "tests", "docs"])
def test_folders_of_data_and_tests_are_no_packages(folder):
    # The root is on sys.path: docker/__init__.py would hide the library of that name, tests/ray/__init__.py Ray.
    assert sorted((ROOT / folder).rglob("__init__.py")) == []
