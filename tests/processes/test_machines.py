"""Machines as they are: each situation ends with work that is done or with one sentence, never with a traceback."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from orchestrator.core.store import Store
from orchestrator.plan.plan import make_plan
from orchestrator.study.load import load_study
from tests.e2e.terminal import in_terminal
from tests.unit.orchestrator.study_text import write
from trainers.schema.record import HISTORY, Record, to_lines
from trainers.schema.zoo import configs_dir

ROOT = Path(__file__).resolve().parents[2]
STILLHOUSE = [sys.executable, "-P", "-m", "stillhouse"]
QUICKSTART = str(configs_dir() / "studies" / "quickstart.yaml")
TINY = """
name: tiny
dataset: {kind: shapes, train_images: 16, val_images: 8, image_size: [64, 64]}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.125, weights: random}
method: {kind: none}
schedule: {epochs: 1, batch_size: 8, lr: 0.002, optimizer: {kind: adamw}, policy: {kind: constant}}
"""
# Two runs in one process would know each other; the second is another process's.
HELD = """
import os, sys
from orchestrator.core.errors import OperationError
from orchestrator.core.store import Store

store = Store(sys.argv[1])
store.prepare()
with store.only_run():
    child = os.fork()
    if not child:
        try:
            with store.only_run():
                os._exit(1)
        except OperationError as error:
            print(str(error).partition(";")[0], flush=True)
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
with store.only_run():
    pass
"""
# A shell starts the command as a user's shell would; "$@" is the command.
NO_INPUT, NO_OUTPUT, NO_ERRORS, NO_STREAMS = (
    'exec "$@" <&-',
    'exec "$@" >&-',
    'exec "$@" 2>&-',
    'exec "$@" <&- >&- 2>&-',
)
LEFT_READER = 'set -o pipefail; "$@" | true'
SLOW_READER = 'set -o pipefail; "$@" | head -1'
FULL = 'exec "$@" >/dev/full'
DELETED = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
READ_ONLY = 'cd /proc && exec "$@"'  # root may write in any folder but there
NOBODY = 'exec unshare --user --map-user=12345 --map-group=12345 env -u HOME -u USER -u LOGNAME "$@"'


@dataclass(frozen=True)
class Situation:
    """Hold a situation: how the command is started, what it is, and how it ends."""

    name: str
    shell: str
    command: str
    code: int = 0
    out: str = ""
    err: str = ""
    variables: dict[str, str] = field(default_factory=dict)


GONE = "stillhouse: the working directory has been deleted: change to another one"
NO_RESULTS = "holds no results yet: run the study first, or name another --store"
SITUATIONS = [
    Situation("no home, check", NOBODY, f"check {QUICKSTART}", out="quickstart.yaml: ok", err="caches go to /"),
    Situation("no home, plan", NOBODY, f"plan {QUICKSTART}", out="6 trials", err="HOME names another one"),
    Situation("no home, compare", NOBODY, f"compare {QUICKSTART}", 2, err=NO_RESULTS),
    Situation("home in vain", NOBODY, f"compare {QUICKSTART}", 2, err=NO_RESULTS, variables={"HOME": "/nonexistent"}),
    Situation("no stdin", NO_INPUT, f"plan {QUICKSTART}", out="6 trials"),
    Situation("no stdout, plan", NO_OUTPUT, f"plan {QUICKSTART}", err="next:"),
    Situation("no stdout, methods", NO_OUTPUT, "methods"),
    Situation("no stdout, mistake", NO_OUTPUT, "check nowhere.yaml", 2, err="nowhere.yaml"),
    Situation("no stderr", NO_ERRORS, "check nowhere.yaml", 2),
    Situation("no streams at all", NO_STREAMS, f"plan {QUICKSTART}"),
    Situation("the reader left, schema", LEFT_READER, "schema"),
    Situation("the reader left, completion", LEFT_READER, "completion bash"),
    Situation("a reader of one line", SLOW_READER, "schema", out="{"),
    Situation("a full disk behind stdout", FULL, f"plan {QUICKSTART}", 1, err="No space left on device"),
    Situation("deleted folder, plan", DELETED, f"plan {QUICKSTART}", 2, err=GONE),
    Situation("deleted folder, compare", DELETED, f"compare {QUICKSTART}", 2, err=GONE),
    Situation("deleted folder, list", DELETED, "list --address http://127.0.0.1:1", 2, err=GONE),
    Situation("deleted folder, store elsewhere", DELETED, f"plan {QUICKSTART} --store /nonexistent", out="6 trials"),
    Situation("read-only folder, plan", READ_ONLY, f"plan {QUICKSTART}", out="6 trials"),
    Situation("read-only folder, compare", READ_ONLY, f"compare {QUICKSTART}", 2, err=NO_RESULTS),
    Situation("no folder of temporary files", 'exec "$@"', f"plan {QUICKSTART}", out="6 trials", variables={"TMPDIR": "/no"}),
]  # fmt: skip


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_a_command_ends_with_its_work_or_one_sentence(situation: Situation, tmp_path: Path) -> None:
    if situation.shell is NOBODY and not may_be_nobody():
        pytest.skip("this machine lets nobody be another user")
    arguments = situation.variables and ["env", *(f"{name}={value}" for name, value in situation.variables.items())]
    command = ["bash", "-c", situation.shell, "bash", *(arguments or []), *STILLHOUSE, *situation.command.split()]
    variables = environment(TMPDIR=str(tmp_path))  # where a home is made
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == situation.code, done.stderr
    assert situation.out in done.stdout
    assert situation.err in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if situation.code:
        assert len(done.stderr.splitlines()) <= 1 + (situation.shell is NOBODY and not situation.variables)


@pytest.mark.parametrize("command", ["sync {study}", "clean {study} --yes"])
def test_a_store_that_is_only_read_is_one_sentence(command: str, tmp_path: Path) -> None:
    if not may_be_nobody():
        pytest.skip("this machine lets nobody be another user")
    study = write(tmp_path, TINY)
    [trial] = make_plan(load_study(study), Store(tmp_path / "store")).trials
    trial.directory.mkdir(parents=True)
    (trial.directory / HISTORY).write_text(to_lines([Record(1, 2, {})]))
    (tmp_path / "store").chmod(0o555)
    words = command.format(study=study).split()
    started = ["bash", "-c", NOBODY, "bash", *STILLHOUSE, *words, "--store", str(tmp_path / "store")]
    variables = environment(TMPDIR=str(tmp_path))
    done = subprocess.run(started, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    said = f"cannot write to the store {tmp_path / 'store'}: Permission denied; name another folder by --store"
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def environment(**variables: str) -> dict[str, str]:
    """Return a user's environment: the tests' own process has set Ray's variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TUNE_", "STILLHOUSE_"))}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


def may_be_nobody() -> bool:
    """Return whether this machine lets a process be a user without an entry, in a namespace of its own."""
    command = ["bash", "-c", NOBODY, "bash", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("command", [f"plan {QUICKSTART}", "list", "methods", "--help"])
def test_a_terminal_of_forty_columns_is_wide_enough(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STILLHOUSE_URL", raising=False)
    shown = in_terminal(40, *command.split())
    assert shown.code in (0, 2)
    assert "Traceback" not in shown.raw


# ------------------------------------------------------------------------------------- packages of the same names


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """Give a folder with packages under names of ours, the import of which is an error."""
    for name in ("orchestrator", "trainers", "dashboards"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('a package of a stranger')")
    return tmp_path


def python(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(**variables), capture_output=True, text=True, check=False
    )


def test_the_command_uses_our_packages_among_strangers(strangers: Path) -> None:
    path = f"{strangers}:{ROOT}"
    done = python(strangers, "-m", "stillhouse", "check", QUICKSTART, PYTHONPATH=path)
    assert (done.returncode, done.stdout) == (0, f"{QUICKSTART}: ok\n"), done.stderr


def test_a_script_beside_strangers_uses_our_packages(strangers: Path) -> None:
    (strangers / "script.py").write_text(f"from stillhouse import Study\nprint(Study.load({QUICKSTART!r}).name)")
    assert python(strangers, "script.py").stdout == "quickstart\n"


def test_detectors_are_built_with_our_packages_among_strangers(strangers: Path) -> None:
    script = "import stillhouse, sys, subprocess; from orchestrator.core.own_packages import own_environment as own\n"
    script += "code = 'import trainers; print(trainers.__file__)'\n"
    script += "subprocess.run([sys.executable, '-P', '-c', code], env=own(), check=True)"
    done = python(strangers, "-c", script, PYTHONPATH=f"{strangers}:{ROOT}")
    assert done.stdout == f"{ROOT / 'trainers' / '__init__.py'}\n", done.stderr


@pytest.mark.parametrize("place", ["trainers/__init__.py", "trainers.py"])
def test_a_stranger_that_was_imported_before_is_named(place: str, tmp_path: Path) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).touch()
    done = python(tmp_path, "-c", "import trainers, stillhouse")
    expected = f"ImportError: {tmp_path / place} was imported as 'trainers', which hides the package of Stillhouse"
    assert done.stderr.splitlines()[-1].startswith(expected)


# -------------------------------------------------------------------------------------------- folders to write in


def test_a_study_that_cannot_be_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    for number in range(4):
        Image.new("RGB", (64, 64)).save(tmp_path / "images" / f"{number}.png")
        (tmp_path / "labels" / f"{number}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "classes.txt").write_text("bolt\n")
    done = python(Path("/proc"), "-P", "-m", "stillhouse", "init", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "stillhouse: study.yaml: cannot be written: No such file or directory\n"


# ----------------------------------------------------------------------------------------------- before a run


@pytest.fixture(scope="module")
def lockless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a library that answers ``flock`` as a file system without locks does."""
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    folder = tmp_path_factory.mktemp("lockless")
    (folder / "lockless.c").write_text(
        "#include <errno.h>\n#include <stdlib.h>\n"
        'int flock(int file, int operation) { errno = atoi(getenv("FLOCK_ERRNO")); return -1; }\n'
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "lockless.so", "lockless.c"], cwd=folder, check=True)
    return folder / "lockless.so"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a study that has been planned: what a plan measures is known."""
    folder = tmp_path_factory.mktemp("ready")
    (folder / "tiny.yaml").write_text(TINY)
    run_in(folder, "plan")
    return folder


def run_in(folder: Path, command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    words = [*STILLHOUSE, command, "tiny.yaml"]
    return subprocess.run(words, cwd=folder, env=environment(**variables), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("number", [37, 38])
def test_a_store_without_file_locks_is_held_by_a_lease(number: int, tmp_path: Path, lockless: Path) -> None:
    (tmp_path / "held.py").write_text(HELD)
    variables = environment(LD_PRELOAD=str(lockless), FLOCK_ERRNO=str(number))
    words = [sys.executable, "held.py", str(tmp_path / "store")]
    done = subprocess.run(words, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"another stillhouse run is using the store {tmp_path / 'store'}\n"


def test_a_run_in_a_deleted_folder_ends_before_anything_is_trained(ready: Path) -> None:
    words = [*STILLHOUSE, "run", str(ready / "tiny.yaml"), "--store", str(ready / "stillhouse-runs")]
    command = ["bash", "-c", DELETED, "bash", *words]
    done = subprocess.run(command, cwd=ready, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, GONE)
    assert not list(ready.glob("stillhouse-runs/trials/*"))


def test_a_folder_that_is_too_long_for_sockets_is_refused_before_anything_is_trained(ready: Path) -> None:
    folder = "/tmp/" + "x" * 50
    done = run_in(ready, "run", RAY_TMPDIR=folder)
    assert done.returncode == 2
    expected = f"stillhouse: RAY_TMPDIR={folder} is too long for the paths of sockets: at most 39 bytes"
    assert done.stderr.splitlines()[-1] == expected
