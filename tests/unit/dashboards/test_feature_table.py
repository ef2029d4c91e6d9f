"""The table of features beside W&B and MLflow claims nothing that no test holds."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
TESTS = re.compile(r"^def (test_\w+)\(", re.MULTILINE)


def rows() -> list[list[str]]:
    section = (ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8").split("## Beside W&B and MLflow")[1]
    table = section.split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ")
    ]


def test_each_feature_that_is_here_names_a_test_that_exists() -> None:
    known = {name for path in (ROOT / "tests").rglob("test_*.py") for name in TESTS.findall(path.read_text())}
    head, *features = rows()
    assert head == ["feature", "W&B", "MLflow", "here", "test"]
    assert len(features) > 15
    for feature, *_, here, test in features:
        if not here.startswith("no"):
            assert test == "the same" or test.strip("`") in known, feature
