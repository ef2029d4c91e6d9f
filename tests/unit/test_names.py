"""Hold the names of classes: none means two things."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("orchestrator", "trainers", "dashboards")


def defined_classes(root: Path) -> Iterator[tuple[str, str]]:
    """Yield each class below a folder, nested and private ones too: its name without underscores, and where it is."""
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield node.name.strip("_"), f"{path}:{node.lineno}"


def repeated(found: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the names that are defined more than once, with the places."""
    places = defaultdict(list)
    for name, place in found:
        places[name].append(place)
    return {name: found for name, found in places.items() if len(found) > 1}


def test_no_class_name_means_two_things() -> None:
    assert repeated(entry for package in PACKAGES for entry in defined_classes(ROOT / package)) == {}


def test_a_private_nested_class_counts(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("class Row: ...\n")
    (tmp_path / "two.py").write_text("def rows():\n    class _Row: ...\n")
    assert list(repeated(defined_classes(tmp_path))) == ["Row"]
