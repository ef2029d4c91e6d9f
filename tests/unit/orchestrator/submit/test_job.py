"""The driver keeps the submission's record: it lives, and how it ended, with the sentence that says why."""

import sys
import time

import pytest

from orchestrator.commands import job
from orchestrator.core.version import own_version
from orchestrator.submit.record import Ledger
from orchestrator.submit.states import State

ATTEMPT = "stillhouse-0123456789ab-1"


@pytest.fixture
def drive(tmp_path, monkeypatch):
    """Run the driver with something in the place of the command ``run``."""

    def run(command, client=None):
        monkeypatch.setattr(job, "main", command)
        words = ["--attempt", ATTEMPT, "--study", "tiny", "--client", client or own_version()]
        code = job.drive([*words, "--", "study.yaml", "--address", "auto", "--store", str(tmp_path)])
        return code, Ledger(tmp_path).read(ATTEMPT)

    return run


def fails(argv):
    print("stillhouse: the teacher (abc) failed, no student was started: it did not end\n", file=sys.stderr)
    return 1


def interrupted(argv):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("command", "code", "state", "reason"),
    [
        (lambda argv: 0, 0, State.FINISHED, "all trials have ended"),
        (fails, 1, State.FAILED, "the teacher (abc) failed, no student was started: it did not end"),
        (interrupted, 130, State.STOPPED, "stopped; trials have saved their states"),
        (lambda argv: sys.exit(2), 2, State.FAILED, "exit code 2"),
    ],
)
def test_the_record_says_how_it_ended(drive, command, code, state, reason):
    found, record = drive(command)
    assert (found, record.state, record.reason, record.study) == (code, state, reason, "tiny")


def test_while_it_runs_the_record_says_that_it_lives(drive, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "BEAT_S", 0.01)
    heard = []

    def command(argv):
        assert argv[:2] == ["run", "study.yaml"]
        giving_up = time.monotonic() + 5
        while len(set(heard)) < 3 and time.monotonic() < giving_up:
            record = Ledger(tmp_path).read(ATTEMPT)
            assert record.state == State.RUNNING
            heard.append(record.heard)
        return 0

    drive(command)
    assert len(set(heard)) == 3


def test_a_client_of_another_version_gets_no_run(drive):
    code, record = drive(lambda argv: pytest.fail("must not run"), client="0.0.1")
    assert (code, record.state) == (2, State.FAILED)
    assert "the client 0.0.1" in record.reason


def test_an_error_of_ours_is_no_end_that_anybody_planned(drive, tmp_path):
    """Whoever looks finds a driver that was lost, and may resume."""

    def command(argv):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        drive(command)
    assert Ledger(tmp_path).read(ATTEMPT).state == State.RUNNING


def test_a_store_that_cannot_be_written_is_one_sentence(drive, tmp_path, capsys):
    (tmp_path / "submissions").write_text("in the way")
    code, record = drive(lambda argv: 0)
    assert (code, record) == (1, None)
    assert "cannot write to the store" in capsys.readouterr().err
