"""Prove that damaged, hostile and foreign files end in an earlier state, a fresh start or a clear sentence."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.trainers.state.test_resume import SHORT, die_at
from tests.unit.trainers.tiny import TrainOnce, assert_same_run, changed, dataset, job, trial
from trainers.errors import TrialError
from trainers.formats.weights import load_weights
from trainers.loop.loop import train, train_alone
from trainers.schema import TrialSpec, Weights
from trainers.schema.events import read_events
from trainers.schema.manifest import MANIFEST, entry_of, read_manifest, require_whole, write_manifest
from trainers.schema.record import (
    HISTORY,
    OUTCOME,
    SELECTION_METRIC,
    DamagedFile,
    Outcome,
    Record,
    read_history,
    read_outcome,
    write_outcome,
)
from trainers.state.checkpoints import TrialFiles
from trainers.state.recovery import FORMAT, Recovery

NEWEST, OLDER = "resume-4.pt", "resume-2.pt"
Damage = Callable[[Path], Any]


class Marker:
    """Write a file when it is unpickled, as a hostile checkpoint would."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return Path.touch, (Path(self.path),)


def record(epoch: int, ap: float = 0.1) -> Record:
    return Record(epoch=epoch, step=2 * epoch, metrics={SELECTION_METRIC: ap, "loss/total": 1.0 / epoch})


def student(epoch: int) -> dict[str, Any]:
    return {"state_dict": {"w": torch.full((50,), float(epoch))}, "meta": {"epoch": epoch}}


@pytest.fixture
def trial_dir(tmp_path: Path) -> Path:
    """Return the directory of a trial that has committed two epochs, the second one its best."""
    directory = tmp_path / "abc"
    files = TrialFiles(directory)
    history = []
    for epoch in (1, 2):
        history.append(record(epoch, 0.1 * epoch))
        state = {"step": 2 * epoch, "student": {"w": torch.full((500,), float(epoch))}}
        files.commit(state, history, lambda: student(history[-1].epoch))
    return directory


def take_up(directory: Path) -> tuple[TrialFiles, Recovery]:
    files = TrialFiles(directory)
    found = files.find()
    files.take_up(found)
    return files, found


def step_of(found: Recovery) -> int | None:
    return None if found.state is None else found.state.content["step"]


def relist(directory: Path) -> None:
    """Let the manifest name the files as they are, as somebody would who can write it too."""
    manifest = read_manifest(directory)
    assert manifest is not None
    states = tuple(entry_of(directory / entry.file, entry.step) for entry in manifest.states)
    write_manifest(directory, type(manifest)(states, manifest.students))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path, place: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)


def flip_in_tensor(path: Path) -> None:
    """Flip one bit of a weight: the file still reads."""
    data = bytearray(path.read_bytes())
    data[data.index(torch.full((500,), 2.0).numpy().tobytes()) + 100] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(b"\x00\xff" * 5000)


def cut_tail(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def prolong(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def remove(path: Path) -> None:
    path.unlink()


def exchange(path: Path) -> None:
    path.write_bytes((path.parent / OLDER).read_bytes())


DAMAGES = [truncate, flip, flip_in_tensor, empty, garbage, cut_tail, prolong, remove, exchange]

# ----------------------------------------------------------------------------------------------------- resume states


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_state_before_a_damaged_one_is_used_and_the_history_follows_it(damage: Damage, trial_dir: Path) -> None:
    damage(trial_dir / NEWEST)
    _, found = take_up(trial_dir)
    assert step_of(found) == 2
    assert read_history(trial_dir) == [record(1)]
    (event,) = read_events(trial_dir)
    assert NEWEST in event.detail
    assert event.action == "go on from step 2"
    assert sorted(path.name for path in trial_dir.glob("resume*")) == [OLDER]


@pytest.mark.parametrize("damage", [truncate, empty, remove])
def test_without_a_whole_state_training_begins_anew_and_says_so_once(damage: Damage, trial_dir: Path) -> None:
    for name in (NEWEST, OLDER):
        damage(trial_dir / name)
    _, found = take_up(trial_dir)
    assert found.state is None
    assert read_history(trial_dir) == []
    (event,) = read_events(trial_dir)
    assert event.action == "train from the beginning"
    take_up(trial_dir)
    assert len(read_events(trial_dir)) == 1


@pytest.mark.parametrize("damage", [truncate, empty, garbage, remove])
def test_without_a_manifest_states_are_known_by_their_own_checksums(damage: Damage, trial_dir: Path) -> None:
    damage(trial_dir / MANIFEST)
    _, found = take_up(trial_dir)
    assert step_of(found) == 4
    assert MANIFEST in read_events(trial_dir)[0].detail
    take_up(trial_dir)
    assert len(read_events(trial_dir)) == 1  # it has been written anew


def test_without_a_manifest_a_flipped_bit_is_found_too(trial_dir: Path) -> None:
    remove(trial_dir / MANIFEST)
    flip_in_tensor(trial_dir / NEWEST)
    _, found = take_up(trial_dir)
    assert step_of(found) == 2


def test_a_manifest_cannot_name_files_elsewhere(trial_dir: Path) -> None:
    manifest = trial_dir / MANIFEST
    manifest.write_text(manifest.read_text().replace(f'"{NEWEST}"', '"../abc/resume-4.pt"'))
    with pytest.raises(DamagedFile, match="is damaged"):
        read_manifest(trial_dir)


def test_the_state_of_another_release_is_refused(trial_dir: Path) -> None:
    torch.save({"format": FORMAT + 1}, trial_dir / NEWEST)
    relist(trial_dir)
    with pytest.raises(TrialError, match=f"has format {FORMAT + 1}, this release reads {FORMAT}"):
        TrialFiles(trial_dir).find()
    assert (trial_dir / OLDER).exists()


@pytest.mark.parametrize("listed", [False, True], ids=["unlisted", "listed"])
def test_a_hostile_state_does_nothing(listed: bool, trial_dir: Path, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    for write in (
        lambda path: path.write_bytes(pickle.dumps(Marker(marker))),
        lambda path: torch.save(Marker(marker), path),
    ):
        write(trial_dir / NEWEST)
        if listed:
            relist(trial_dir)
        _, found = take_up(trial_dir)
        assert step_of(found) == 2
    assert not marker.exists()


@pytest.mark.parametrize(
    "content",
    [student(2), {"format": FORMAT}, {"format": FORMAT, "step": 4, "history": [{"epoch": "x"}]}, [1, 2]],
    ids=["a student", "no history", "another history", "a list"],
)
def test_a_foreign_file_that_is_listed_is_no_state(content: Any, trial_dir: Path) -> None:
    torch.save(content, trial_dir / NEWEST)
    relist(trial_dir)
    _, found = take_up(trial_dir)
    assert step_of(found) == 2


# ----------------------------------------------------------------------------------------------- history and outcome


@pytest.mark.parametrize("damage", [truncate, empty, garbage, remove])
def test_a_damaged_history_is_written_anew_from_the_state(damage: Damage, trial_dir: Path) -> None:
    before = read_history(trial_dir)
    damage(trial_dir / HISTORY)
    assert len(read_history(trial_dir)) < len(before)  # what can be read, until the trial goes on
    take_up(trial_dir)
    assert read_history(trial_dir) == before


def test_a_damaged_history_of_a_trial_that_has_ended_is_told(trial_dir: Path) -> None:
    write_outcome(trial_dir, Outcome("finished"))
    cut_tail(trial_dir / HISTORY)
    read_history(trial_dir)  # only the last line's end is missing
    (trial_dir / HISTORY).write_bytes((trial_dir / HISTORY).read_bytes()[:-20])
    with pytest.raises(DamagedFile, match=r"history\.jsonl is damaged in line \d: delete .*abc and run again"):
        read_history(trial_dir)
    with pytest.raises(TrialError, match=r"history\.jsonl is damaged"):
        list(train([job(trial(), trial_dir)]))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"status": "won"}', '{"status": "finished", "more": 1}', "\x00"])
def test_a_damaged_outcome_is_told(text: str, trial_dir: Path) -> None:
    (trial_dir / OUTCOME).write_text(text)
    with pytest.raises(DamagedFile, match=r"outcome\.json is damaged: delete .*abc and run again"):
        read_outcome(trial_dir)


# ------------------------------------------------------------------------------------------------------------ students


@pytest.mark.parametrize("damage", [truncate, flip, empty, garbage, remove])
def test_a_damaged_best_student_is_made_again_where_the_state_is_its_own(damage: Damage, trial_dir: Path) -> None:
    damage(trial_dir / "best.pth")
    files, found = take_up(trial_dir)
    files.check_best(found, lambda: student(2))
    files.finish()
    require_whole(trial_dir / "best.pth")
    assert torch.equal(torch.load(trial_dir / "best.pth")["state_dict"]["w"], torch.full((50,), 2.0))


def test_a_best_student_that_cannot_be_made_again_is_told_to_whoever_reads_it(trial_dir: Path) -> None:
    flip(trial_dir / "best.pth")
    files, found = take_up(trial_dir)
    files.check_best(found, None)
    assert "best.pth" in read_events(trial_dir)[0].detail
    write_outcome(trial_dir, Outcome("finished"))
    weights = Weights(path=str(trial_dir / "best.pth"))
    with pytest.raises(TrialError, match=r"best\.pth is damaged.*delete .*abc and run again"):
        load_weights(torch.nn.Linear(1, 1), weights, "teacher")
    files.commit({"step": 6}, [record(1), record(2, 0.2), record(3, 0.3)], lambda: student(3))
    files.finish()
    require_whole(trial_dir / "best.pth")


def test_a_best_student_of_an_epoch_that_was_lost_is_not_taken_for_the_best(trial_dir: Path) -> None:
    truncate(trial_dir / NEWEST)
    files, found = take_up(trial_dir)
    files.check_best(found, None)
    files.finish()
    with pytest.raises(DamagedFile, match="is not the student that its trial ended with"):
        require_whole(trial_dir / "best.pth")


def test_without_a_manifest_the_best_student_is_known_by_its_epoch(trial_dir: Path) -> None:
    remove(trial_dir / MANIFEST)
    files, found = take_up(trial_dir)
    files.check_best(found, None)
    files.finish()
    require_whole(trial_dir / "best.pth")
    assert len(read_events(trial_dir)) == 1


def test_checkpoints_of_others_are_nobodys_business(trial_dir: Path, tmp_path: Path) -> None:
    torch.save(student(1), tmp_path / "best.pth")
    require_whole(tmp_path / "best.pth")
    write_outcome(trial_dir, Outcome("finished"))
    torch.save(student(1), trial_dir / "pretrained.pth")
    require_whole(trial_dir / "pretrained.pth")


# ------------------------------------------------------------------------------------------------------ in a training


@pytest.fixture(scope="module")
def short() -> TrialSpec:
    """Return a trial of two epochs with three steps each."""
    return changed(trial(), dataset=dataset(train_images=12, val_images=3), schedule=SHORT)


@pytest.mark.parametrize("lost", [1, 2], ids=["newest", "all"])
def test_a_training_with_damaged_states_ends_as_the_undisturbed_one(
    lost: int, short: TrialSpec, train_once: TrainOnce, tmp_path: Path
) -> None:
    wanted = job(short, tmp_path, checkpoint_steps=2)
    die_at(wanted, 5)
    for path in sorted(tmp_path.glob("resume*"), reverse=True)[:lost]:
        flip(path)
    train_alone(wanted)
    assert_same_run(train_once(short), tmp_path)
    assert len(read_events(tmp_path)) == 1


def test_the_state_of_another_student_is_refused(short: TrialSpec, tmp_path: Path) -> None:
    die_at(job(short, tmp_path), 4)
    wider = trial(width=2.0, dataset=short.dataset, schedule=short.schedule)
    with pytest.raises(TrialError, match=r"resume-3\.pt is no state of this training .*: delete .* to train anew"):
        train_alone(job(wider, tmp_path))
