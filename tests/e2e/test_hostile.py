"""Studies from strangers through the real command: exit code 0 or 2, no traceback, nothing executed, nothing leaked."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.e2e.stillhouse import Answer, stillhouse
from tests.unit.orchestrator.study_mutations import SHAPES, TEXTS, mutated_data, mutated_text, prepare

SECRET = "hunter2-hunter2"
SCRIPT = "import pathlib; pathlib.Path(r'{}').touch()"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{last}'] * 9)}]\n" for last, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def check(command: str, path: Path) -> Answer:
    """Run a command on a study where a secret is in the environment, and see that it ends well."""
    answer = stillhouse(command, path, "--trust-config", A_SECRET=SECRET, STILLHOUSE_STORE=str(path.parent / "store"))
    said = answer.out + answer.err
    assert answer.code in (0, 2), (path, said)
    assert "Traceback" not in said, (path, said)
    assert SECRET not in said, (path, said)
    assert said.replace("\n", "").isprintable(), (path, ascii(said))
    return answer


def run_many(count: int, folder: Path, seed: int) -> None:
    """Run ``check`` or ``plan`` on mutated studies, two at a time."""
    studies: tuple[dict[str, Any], ...] = tuple(YAML(typ="safe", pure=True).load(text) for text in TEXTS)
    chance = random.Random(seed)
    paths = []
    for number in range(count):
        own = folder / str(number)
        own.mkdir()
        prepare(own)
        text = mutated_text(chance) if number % 2 else mutated_data(studies, chance)
        paths.append(own / "study.yaml")
        paths[-1].write_bytes(text.encode("utf-8", "surrogatepass"))
    with ThreadPoolExecutor(2) as pool:
        assert len(list(pool.map(check, ["check", "plan"] * (count // 2), paths))) == count


def test_mutated_studies_end_in_an_exit_code(tmp_path: Path) -> None:
    run_many(10, tmp_path, seed=3)


@pytest.mark.slow
def test_a_hundred_mutated_studies_end_in_an_exit_code(tmp_path: Path) -> None:
    run_many(100, tmp_path, seed=4)


@pytest.mark.parametrize(
    "text",
    [
        "name: !!python/object/apply:os.system ['touch {marker}']\n",
        "? !!python/object/apply:os.system ['touch {marker}']\n: x\n",
        "!!python/object/new:type {{args: [z, [], {{extend: !!python/name:exec }}]}}\n",
        'dataset: {{kind: shapes, root: "$(touch {marker})"}}\n',
        "student: {{config: '{folder}/evil.py'}}\nmethod: {{kind: none}}\nname: x\ndataset: {{kind: shapes}}\n",
    ],
    ids=["apply", "key", "new", "shell", "config"],
)
def test_nothing_in_a_study_is_executed(text: str, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    (tmp_path / "evil.py").write_text(SCRIPT.format(marker))
    path = tmp_path / "study.yaml"
    path.write_text(text.format(marker=marker, folder=tmp_path))
    answer = stillhouse("plan", path)
    assert answer.code == 2
    assert "Traceback" not in answer.err
    assert not marker.exists()


@pytest.mark.parametrize(
    "text",
    [BOMB, "[" * 99_999, "a: " + "x" * 2_000_000, SHAPES.replace("[0, 1]", f"[{'0, ' * 30_000}1]"), "\0", "---\n" * 9],
    ids=["bomb", "deep", "long", "many", "nul", "documents"],
)
def test_a_study_that_would_cost_much_costs_little(text: str, tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    answer = check("check", path)
    assert answer.code == 2
    assert len(answer.err) < 250_000
