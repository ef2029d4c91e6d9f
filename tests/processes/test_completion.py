"""A real shell completes commands, options, choices and study files with the script that ``completion`` prints."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASK = """
source "$SCRIPT"
COMP_WORDS=($WORDS "$LAST")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_shtab_stillhouse
printf '%s\\n' "${COMPREPLY[@]}"
complete -p stillhouse
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "stillhouse.bash"
    command = [sys.executable, "-m", "orchestrator.cli", "completion", "bash"]
    path.write_text(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("study.yaml", "other.yml", "notes.txt", "student.pth"):
        (tmp_path / name).touch()
    (tmp_path / "photos").mkdir()
    return tmp_path


def completed(script: Path, folder: Path, words: str, last: str) -> list[str]:
    """Return the answers to Tab in a bash of its own, behind ``words`` and the begun word ``last``."""
    settings = {"PATH": os.environ["PATH"], "SCRIPT": str(script), "WORDS": words, "LAST": last}
    done = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", ASK],
        cwd=folder,
        env=settings,
        capture_output=True,
        text=True,
        check=True,
    )
    *answers, registered = done.stdout.splitlines()
    assert registered == "complete -o bashdefault -F _shtab_stillhouse stillhouse"
    return [answer for answer in answers if answer]


@pytest.mark.parametrize(
    ("words", "last", "wanted"),
    [
        ("stillhouse", "re", {"report", "reproduce", "resume", "retry"}),
        ("stillhouse", "--v", {"--version"}),
        ("stillhouse run study.yaml", "--tr", {"--tracker-wait", "--trials", "--trust-config"}),
        ("stillhouse report study.yaml --format", "", {"md", "latex", "csv", "html"}),
        ("stillhouse dashboard", "", {"serve", "export"}),
        ("stillhouse completion", "", {"bash", "zsh"}),
        ("stillhouse run", "", {"study.yaml", "other.yml", "photos/"}),
        ("stillhouse run", "st", {"study.yaml"}),
        ("stillhouse run study.yaml --store", "", {"photos"}),
        ("stillhouse init", "", {"photos"}),
        ("stillhouse run study.yaml --on", "n", {"notes.txt"}),
    ],
)
def test_bash_completes(script, folder, words, last, wanted):
    assert set(completed(script, folder, words, last)) == wanted


def test_bash_offers_every_command_and_no_other(script, folder):
    from orchestrator.cli import COMMANDS

    assert sorted(completed(script, folder, "stillhouse", "")) == sorted(COMMANDS)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_takes_the_script(tmp_path):
    command = [sys.executable, "-m", "orchestrator.cli", "completion", "zsh"]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (tmp_path / "_stillhouse").write_text(text)
    program = (
        f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -d {tmp_path}/dump; print $_comps[stillhouse]"
    )
    done = subprocess.run(["zsh", "-f", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "_stillhouse"
