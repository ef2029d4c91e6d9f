"""The code of packages that add terms or heads is known by its content, without importing it."""

from pathlib import Path

import pytest

from orchestrator.plan import extensions as subject

BOOM = "raise RuntimeError('imported')\n"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a package and a single module, either of which raises when it is imported."""
    (tmp_path / "cask_pkg" / "deep").mkdir(parents=True)
    for name in ("cask_pkg/__init__.py", "cask_pkg/deep/losses.py", "cask_module.py"):
        (tmp_path / name).write_text(BOOM)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(subject, "top_packages", lambda *groups: ["cask_module", "cask_pkg", "cask_gone"])
    return tmp_path


def test_an_edit_of_any_file_changes_the_digest_of_its_package_alone(packages: Path) -> None:
    before = subject.extensions.__wrapped__()
    assert list(before) == ["cask_module", "cask_pkg", "cask_gone"]
    (packages / "cask_pkg" / "deep" / "losses.py").write_text(BOOM + "\n")
    after = subject.extensions.__wrapped__()
    assert [name for name in before if before[name] != after[name]] == ["cask_pkg"]
    (packages / "cask_module.py").write_text(BOOM + "\n")
    assert subject.extensions.__wrapped__()["cask_module"] != after["cask_module"]
