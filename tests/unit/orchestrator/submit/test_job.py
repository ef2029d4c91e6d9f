"""The driver keeps the submission's record: it lives, and how it ended, with the sentence that says why."""

import time

import pytest

from orchestrator.commands import job, run
from orchestrator.core.errors import OperationError
from orchestrator.core.findings import Finding, StudyErrors
from orchestrator.core.outcome import ExitStatus
from orchestrator.core.version import own_version
from orchestrator.submit.record import JobRecords
from orchestrator.submit.states import SubmissionState

ATTEMPT = "stillhouse-0123456789ab-1"
TEACHER = "the teacher (abc) failed, so no student started: it did not end"


@pytest.fixture
def drive(tmp_path, monkeypatch):
    """Run the driver with something in the place of what the command ``run`` does."""

    def driven(command, *options, client=None):
        monkeypatch.setattr(job, "COMMANDS", {"run": (run.add_arguments, command)})
        words = ["--attempt", ATTEMPT, "--study", "tiny", "--client", client or own_version()]
        code = job.drive([*words, "--", "study.yaml", "--address", "auto", "--store", str(tmp_path), *options])
        return code, JobRecords(tmp_path).read(ATTEMPT)

    return driven


def raising(error):
    def command(arguments):
        raise error

    return command


@pytest.mark.parametrize(
    ("command", "code", "state", "reason"),
    [
        (lambda arguments: 0, 0, SubmissionState.FINISHED, "all trials have ended"),
        (raising(OperationError(TEACHER)), 1, SubmissionState.FAILED, TEACHER),
        (
            raising(StudyErrors([Finding("error", "s.yaml:3: a", "wrong")])),
            2,
            SubmissionState.FAILED,
            "s.yaml:3: a: wrong",
        ),
        (lambda arguments: ExitStatus(1, "1 of 2 trials failed"), 1, SubmissionState.FAILED, "1 of 2 trials failed"),
        (raising(KeyboardInterrupt()), 130, SubmissionState.STOPPED, "stopped; trials have saved their states"),
        (lambda arguments: 3, 3, SubmissionState.FAILED, "exit code 3"),
    ],
)
def test_the_record_says_how_it_ended(drive, command, code, state, reason):
    found, record = drive(command)
    assert (found, record.state, record.reason, record.study) == (code, state, reason, "tiny")


def test_options_that_the_command_does_not_know_are_the_reason(drive):
    found, record = drive(lambda arguments: pytest.fail("must not run"), "--no-such-option")
    assert (found, record.state) == (2, SubmissionState.FAILED)
    assert record.reason == "stillhouse run: unrecognized arguments: --no-such-option"


def test_while_it_runs_the_record_says_that_it_lives(drive, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "BEAT_S", 0.01)
    heard = []

    def command(arguments):
        assert (arguments.study, arguments.address) == ("study.yaml", "auto")
        giving_up = time.monotonic() + 5
        while len(set(heard)) < 3 and time.monotonic() < giving_up:
            record = JobRecords(tmp_path).read(ATTEMPT)
            assert record.state == SubmissionState.RUNNING
            heard.append(record.heard)
        return 0

    drive(command)
    assert len(set(heard)) == 3


def test_a_client_of_another_version_gets_no_run(drive):
    code, record = drive(lambda arguments: pytest.fail("must not run"), client="0.0.1")
    assert (code, record.state) == (2, SubmissionState.FAILED)
    assert "the client 0.0.1" in record.reason


def test_an_error_of_ours_is_no_end_that_anybody_planned(drive, tmp_path):
    """Whoever looks finds a driver that was lost, and may resume."""
    with pytest.raises(RuntimeError):
        drive(raising(RuntimeError()))
    assert JobRecords(tmp_path).read(ATTEMPT).state == SubmissionState.RUNNING


def test_a_store_that_cannot_be_written_is_one_sentence(drive, tmp_path, capsys):
    (tmp_path / "submissions").write_text("in the way")
    code, record = drive(lambda arguments: 0)
    assert (code, record) == (1, None)
    assert "cannot write to the store" in capsys.readouterr().err
