"""Whatever a machine's end leaves of files that were being written, going on from it comes to the same end."""

import contextlib
import http.server
import json
import os
import shutil
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from orchestrator.plan.journal import SearchLog
from orchestrator.storage.backend import StorageBackend
from orchestrator.storage.mirror import Mirror
from orchestrator.submit.record import JobRecord, JobRecords
from orchestrator.submit.states import SubmissionState
from tests.chaos.power_cut import Disk, Left, Loss, contents
from tests.unit.trainers.state.test_resume import Killed
from tests.unit.trainers.tiny import assert_same_run, changed, dataset, job, sgd, trial
from trainers.loop.loop import train, train_alone
from trainers.loop.student_trainer import StudentTrainer
from trainers.schema import TrialSpec
from trainers.schema.events import Event, append_event, read_events
from trainers.schema.record import read_history
from trainers.schema.remote import VARIABLE, fetch
from trainers.schema.tidy import tidy_over


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    (tmp_path / "written").mkdir()
    return Disk(tmp_path / "written", tmp_path / "copies")


def require_all_losses(disk: Disk, boundaries: int) -> None:
    """Require that the disk was looked at often enough, and that ends differ in what they take."""
    assert disk.boundaries >= boundaries
    assert {Loss.NOTHING, Loss.BYTES} <= {left.loss for left in disk.left}


@pytest.fixture(scope="module")
def spec() -> TrialSpec:
    """Return a trial of two epochs, each of one step."""
    short = sgd(epochs=2, policy=sgd().policy.model_copy(update={"milestones": (1,)}))
    return changed(trial(), dataset=dataset(train_images=4, val_images=2), schedule=short)


def test_a_training_goes_on_to_the_same_bits(spec: TrialSpec, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """From each copy the trial's state is taken up; copies that are the same from then on are trained to the end once."""
    with disk.followed():
        for _ in train([job(spec, disk.folder, checkpoint_steps=1)]):
            disk.promise()
    require_all_losses(disk, 80)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # from here on nothing is cut off
    taken_up: dict[bytes, Left] = {}
    with monkeypatch.context() as patch:
        patch.setattr(StudentTrainer, "train_step", die)
        for left in distinct(disk.left):
            assert len(read_history(left.folder)) >= left.promised, left
            with contextlib.suppress(Killed):
                train_alone(job(spec, left.folder, checkpoint_steps=1))
            taken_up.setdefault(digest_of(left.folder), left)
    assert len(taken_up) > 5
    for left in taken_up.values():
        train_alone(job(spec, left.folder, checkpoint_steps=1))
        tidy_over(left.folder)
        assert_same_run(disk.folder, left.folder)
        assert contents(left.folder).keys() - {"events.jsonl"} == contents(disk.folder).keys(), left


def distinct(found: list[Left]) -> Iterator[Left]:
    """Yield all copies after kills, and of those after power cuts one of each content apart from half-written files."""
    seen: set[bytes] = set()
    for left in (left for left in found if left.loss is not Loss.HALF):
        whole = {name: sha256(content).hexdigest() for name, content in contents(left.folder).items() if name[0] != "."}
        key = json.dumps([whole, left.promised]).encode()
        if left.loss is Loss.NOTHING or key not in seen:
            yield left
        seen.add(key)


def die(*_: object) -> None:
    """Stand for the death of the process at its first step."""
    raise Killed


def digest_of(folder: Path) -> bytes:
    """Return the digest of all files but the timeline, which has times."""
    found = {name: sha256(content).hexdigest() for name, content in contents(folder).items() if name != "events.jsonl"}
    return json.dumps(found).encode()


def test_a_decision_that_was_logged_stays_and_none_is_read_that_was_not_made(disk: Disk) -> None:
    log = SearchLog(disk.folder / "search.jsonl")
    with disk.followed():
        for number in range(4):
            log.append(event="round", number=number)
            disk.promise()
    require_all_losses(disk, 9)
    for left in disk.left:
        again = SearchLog(left.folder / "search.jsonl")
        found = [event["number"] for event in again.read()]
        assert found in (list(range(left.promised)), list(range(left.promised + 1))), left
        again.append(event="round", number=len(found))
        assert [event["number"] for event in again.read()] == list(range(len(found) + 1))


def test_an_event_is_whole_or_absent(disk: Disk) -> None:
    with disk.followed():
        for number in range(3):
            append_event(disk.folder, Event("crash", "restart", f"number {number}"))
    for left in disk.left:
        found = [event.detail for event in read_events(left.folder)]
        assert found == [f"number {number}" for number in range(len(found))]
        append_event(left.folder, Event("crash", "restart", "later"))
        assert read_events(left.folder)[-1].detail == "later"


def test_a_submissions_record_is_the_last_that_was_written(disk: Disk) -> None:
    states = (SubmissionState.RUNNING, SubmissionState.STOPPING, SubmissionState.FINISHED)
    with disk.followed():
        for state in states:
            JobRecords(disk.folder).write(JobRecord("one", "study", state, "", "host", 1.0, 2.0))
            disk.promise()
    require_all_losses(disk, 9)
    for left in disk.left:
        found = JobRecords(left.folder).read("one")
        allowed = (None, *states)[left.promised : left.promised + 2]
        assert (found.state if found else None) in allowed, left


@pytest.fixture
def copy(tmp_path: Path) -> Mirror:
    """Return a mirror that holds one trial."""
    (tmp_path / "trial").mkdir()
    for name, content in {"history.jsonl": b"{}\n", "best.pth": bytes(1000), "outcome.json": b"{}"}.items():
        (tmp_path / "trial" / name).write_bytes(content)
    mirror = Mirror(StorageBackend(f"file://{tmp_path}/there"))
    mirror.keep(tmp_path / "trial")
    return mirror


def test_a_trial_comes_whole_from_its_copy(disk: Disk, copy: Mirror, tmp_path: Path) -> None:
    with disk.followed():
        assert copy.bring(disk.folder / "trial")
    require_all_losses(disk, 6)
    for left in disk.left:
        if not (left.folder / "trial").exists():
            assert copy.bring(left.folder / "trial")
        assert contents(left.folder / "trial") == contents(tmp_path / "trial"), left


WEIGHTS = bytes(range(256)) * 40
NAME = f"net-{sha256(WEIGHTS).hexdigest()[:8]}.pth"


class Server(http.server.BaseHTTPRequestHandler):
    """Serve weights, or the rest of them."""

    def do_GET(self) -> None:
        begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        if begin >= len(WEIGHTS):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Range", f"bytes {begin}-{len(WEIGHTS) - 1}/{len(WEIGHTS)}")
        self.send_header("Content-Length", str(len(WEIGHTS) - begin))
        self.end_headers()
        self.wfile.write(WEIGHTS[begin:])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{NAME}"
        server.shutdown()
        thread.join()


def test_fetched_weights_are_whole(disk: Disk, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(disk.folder))
    with disk.followed():
        assert fetch(url).read_bytes() == WEIGHTS
    require_all_losses(disk, 8)
    for left in disk.left:
        monkeypatch.setenv(VARIABLE, str(left.folder))
        assert fetch(url).read_bytes() == WEIGHTS, left
        shutil.rmtree(left.folder)
