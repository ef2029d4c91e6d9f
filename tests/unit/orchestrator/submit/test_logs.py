"""A log is followed to the end of its submission, through a while without answers."""

from typing import Any

import pytest

from orchestrator.core.errors import OperationError
from orchestrator.submit import logs
from orchestrator.submit.logs import LOOK_S, PATIENCE_S, followed, shown
from orchestrator.submit.states import SubmissionState
from orchestrator.submit.submissions import Submission
from tests.clock import own_clock

AWAY = OperationError("no Ray cluster answers")


class Cluster:
    """Stand for submissions and for the clock: at each look, a second apart, give the next text, or raise the next error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *looks: str | Exception, ends: int) -> None:
        self.looks, self.ends, self.at, self.now = looks, ends, 0, 100.0
        own_clock(monkeypatch, logs, monotonic=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.at += 1

    def status(self, name: str) -> Submission:
        state = SubmissionState.FINISHED if self.at >= self.ends else SubmissionState.RUNNING
        return Submission(name, "key", "tiny", state, "", 1)

    def logs(self, name: str) -> str:
        assert name == "id"
        found = self.looks[min(self.at, len(self.looks) - 1)]
        if isinstance(found, Exception):
            raise found
        return found


def lines(cluster: Any) -> list[str]:
    return list(followed(cluster, "id"))


def test_only_what_is_new_is_shown_up_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, "a\n", "a\n", "a\nb\n", "a\nb\nc\n", ends=3)
    assert lines(cluster) == ["a\n", "b\n", "c\n"]
    assert cluster.now == 100.0 + 3 * LOOK_S


def test_a_submission_that_has_ended_is_shown_whole_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, "a\nb\n", ends=0)
    assert (lines(cluster), cluster.at) == (["a\nb\n"], 0)


def test_a_cluster_that_is_away_for_a_while_loses_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, "a\n", AWAY, AWAY, "a\nb\n", ends=3)
    assert lines(cluster) == ["a\n", "b\n"]


def test_a_log_that_has_become_shorter_shows_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, "a\nb\n", "a\n", "a\nb\nc\n", ends=2)
    assert lines(cluster) == ["a\nb\n", "c\n"]


def test_patience_ends_and_begins_anew_with_each_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    away = [AWAY] * int(PATIENCE_S / LOOK_S)
    cluster = Cluster(monkeypatch, "a\n", *away, "a\nb\n", *away, "a\nb\nc\n", ends=2 * len(away) + 2)
    assert lines(cluster) == ["a\n", "b\n", "c\n"]
    cluster = Cluster(monkeypatch, "a\n", AWAY, ends=1000)
    with pytest.raises(OperationError, match="no Ray cluster answers"):
        lines(cluster)
    assert cluster.now == 100.0 + PATIENCE_S + LOOK_S


def test_a_log_is_shown_without_secrets_and_escapes() -> None:
    assert shown("sftp://me:hunter2@host\x1b[2J\nnext\n") == shown("sftp://me:hunter3@host\x1b[2J\nnext\n")
    assert "\x1b" not in shown("\x1b[2J")
    assert "hunter2" not in shown("sftp://me:hunter2@host")
