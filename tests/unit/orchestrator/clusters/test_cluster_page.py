"""Each line with a prompt in docs/cluster.md runs in a test, or says that it was never run."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from orchestrator.cli import main, parser
from tests.unit.orchestrator.clusters.described import SHIPPED
from tests.unit.orchestrator.planning import STUDIES

ROOT = Path(__file__).parents[4]
PROMPT = re.compile(r"^\$ (.*)$", re.MULTILINE)
LINES = PROMPT.findall((ROOT / "docs" / "cluster.md").read_text(encoding="utf-8"))
NEVER = "# never run"
# What runs a line as it stands there, but for the names of the study, the store and the cluster.
RUN_BY = {
    "submit": "tests/e2e/test_cluster.py",
    "status": "tests/e2e/test_cluster.py",
    "logs": "tests/e2e/test_cluster.py",
    "stop": "tests/e2e/test_cluster.py",
    "resume": "tests/e2e/test_cluster.py",
    "run": "tests/e2e/test_up_run_down.py",
}
RENDERED = [line for line in LINES if line.startswith("stillhouse cluster render")]


def words_of(line: str) -> list[str]:
    return shlex.split(line, comments=True)


@pytest.mark.parametrize("line", [line for line in LINES if NEVER not in line])
def test_a_line_without_the_mark_is_a_command_that_some_test_runs(line: str) -> None:
    if line.startswith("export "):
        return  # the variables that tests/e2e/test_cluster.py sets
    words = words_of(line)
    assert words[0] == "stillhouse"
    parser().parse_args(words[1:])
    assert line in RENDERED or RUN_BY[words[1]]


@pytest.mark.parametrize("file", sorted(set(RUN_BY.values())))
def test_what_runs_the_lines_is_there_and_uses_their_commands(file: str) -> None:
    text = (ROOT / file).read_text()
    verbs = [verb for verb, where in RUN_BY.items() if where == file]
    assert all(f'"{verb}"' in text or verb == "run" for verb in verbs)


@pytest.mark.parametrize("line", [line for line in LINES if NEVER in line and line.startswith("stillhouse")])
def test_a_command_that_was_never_run_is_one_all_the_same(line: str) -> None:
    parser().parse_args(words_of(line)[1:])


def test_rendering_as_the_page_says_gives_the_files_that_its_next_lines_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(STUDIES / "quickstart.yaml", "study.yaml")
    shutil.copytree(SHIPPED, "configs/clusters")
    aws = (SHIPPED / "aws.yaml").read_text()
    Path("my-aws.yaml").write_text(aws.replace("name: stillhouse-aws", "name: my-aws"))
    shutil.copy(SHIPPED / "kubernetes.yaml", "my-cluster.yaml")
    assert [main(words_of(line)[1:]) for line in RENDERED] == [0] * 3
    used = {word for line in LINES if NEVER in line for word in words_of(line) if word.endswith((".yaml", ".sbatch"))}
    own = {"array.sbatch"}  # the page gives its text
    assert used - own - {path.name for path in tmp_path.iterdir()} == set()
