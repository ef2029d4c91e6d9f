"""``stillhouse clean`` lists and deletes what no study needs, and nothing else."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.commands.common import with_random_weights
from orchestrator.core import processes
from orchestrator.core.store import Store
from orchestrator.execution.ownership import NOTE
from orchestrator.execution.unused import DELETED, delete, leftovers, unused_trials
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.recorded_trials import TrialsRecorder, recorded_trials
from orchestrator.study.load import load_study
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.orchestrator.plan.test_prefixes import MILESTONES, has_trained, planned
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID, write
from trainers.schema.record import Outcome, write_outcome

OLD, OLDER = "0123456789ab", "ba9876543210"
Clean = Callable[..., Answer]


@pytest.fixture(autouse=True)
def no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide this machine's processes: those of other runs are no business of a test, and ``--yes`` would end them."""
    (tmp_path / "proc").mkdir()
    monkeypatch.setattr(processes, "PROC", tmp_path / "proc")


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Return a study with a folder for each trial, two trials of nobody's, and a folder that is no trial."""
    found = plan_text(tmp_path, VALID)
    for name, count in (*((trial.id, 10) for trial in found.trials), (OLD, 3_000_000), (OLDER, 5_000_000), ("mine", 9)):
        folder = tmp_path / "store" / "trials" / name
        folder.mkdir(parents=True)
        (folder / "last.pth").write_bytes(b"x" * count)
    write_outcome(tmp_path / "store" / "trials" / OLD, Outcome("finished"))
    return found


@pytest.fixture
def clean(plan: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Clean:
    stillhouse = runner(capsys)
    return lambda *words: stillhouse("clean", "--store", tmp_path / "store", *words)


def present(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "store" / "trials").iterdir()}


def test_the_biggest_comes_first_and_nothing_is_deleted_without_a_word(
    clean: Clean, plan: Plan, tmp_path: Path
) -> None:
    before = present(tmp_path)
    answer = clean(tmp_path / "study.yaml")
    assert answer.code == 0
    listed = [line.split() for line in answer.out.splitlines()]
    assert listed[1:3] == [["4.8", "MiB", OLDER, "new"], ["2.9", "MiB", OLD, "finished"]]
    assert answer.out.endswith("7.6 MiB in 2 places; nothing is deleted yet: --yes deletes it\n")
    assert present(tmp_path) == before


def test_yes_deletes_what_was_listed(clean: Clean, plan: Plan, tmp_path: Path) -> None:
    assert clean(tmp_path / "study.yaml", "--yes", "--json").json["deleted"] is True
    assert present(tmp_path) == {*(trial.id for trial in plan.trials), "mine"}
    assert clean(tmp_path / "study.yaml", "--json").json == {"unused": [], "leaks": [], "bytes": 0, "deleted": False}


def test_recorded_studies_keep_their_trials_unless_only_the_given_ones_count(
    clean: Clean, plan: Plan, tmp_path: Path
) -> None:
    TrialsRecorder(plan, Store(tmp_path / "store"))
    other = tmp_path / "other.yaml"
    other.write_text(VALID.replace("seeds: [0, 1]", "seeds: [5]"))
    assert {one["name"] for one in clean("--json").json["unused"]} == {OLD, OLDER}
    assert {one["name"] for one in clean(other, "--json").json["unused"]} == {OLD, OLDER}
    found = {one["name"] for one in clean(other, "--only-given", "--json").json["unused"]}
    assert found == {OLD, OLDER, *(trial.id for trial in plan.students)}  # they share the teacher


def test_a_search_adds_to_what_is_recorded_by_a_line_a_trial(plan: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    further = [plan.planner.at({"method.alpha2": 9.0 + n}, 0) for n in range(3)]
    with TrialsRecorder(plan, store) as recorder:
        [whole] = store.studies.iterdir()
        before = whole.stat()
        for trial in further:
            plan.suggested.append(trial)
            recorder.planned(trial)
    assert (whole.stat().st_ino, whole.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)  # not written again
    with (store.studies / f"{whole.stem}.added").open("a") as lines:
        lines.write("0123")  # a line that was cut off
    assert recorded_trials(store) == {trial.id for trial in (*plan.trials, *further)}
    with TrialsRecorder(plan, store):
        assert list(store.studies.iterdir()) == [whole]  # the next run has all of them in one list
    assert recorded_trials(store) == {trial.id for trial in (*plan.trials, *further)}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 2, "nothing says which studies use the store"),
        (("--only-given", "--yes"), 2, "--only-given needs at least one STUDY"),
    ],
)
def test_where_nothing_says_what_is_needed_nothing_is_deleted(
    words: tuple[str, ...], code: int, says: str, clean: Clean, tmp_path: Path
) -> None:
    before = present(tmp_path)
    answer = clean(*words)
    assert (answer.code, says in answer.err) == (code, True)
    assert present(tmp_path) == before


def test_an_empty_store_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, VALID)
    (tmp_path / "store").mkdir()
    for words in ((), (tmp_path / "study.yaml",)):
        answer = runner(capsys)("clean", "--store", tmp_path / "store", *words)
        assert (answer.code, answer.out) == (0, f"nothing to clean in {tmp_path / 'store'}\n")


def test_trials_with_random_weights_are_kept_as_those_of_their_study(clean: Clean, plan: Plan, tmp_path: Path) -> None:
    pretrained = write(tmp_path, VALID.replace(", width: 0.5, weights: random", "").replace("  weights: random\n", ""))
    random = make_plan(with_random_weights(load_study(pretrained)), Store(tmp_path / "store"))
    own = {trial.id for trial in random.students if trial.directory.exists()}
    unused = {one["name"] for one in clean(pretrained, "--random-weights", "--only-given", "--json").json["unused"]}
    assert own
    assert own & unused == set()


def test_a_damaged_record_deletes_nothing(clean: Clean, plan: Plan, tmp_path: Path) -> None:
    TrialsRecorder(plan, Store(tmp_path / "store"))
    [record] = (tmp_path / "store" / "studies").iterdir()
    record.write_text("{")
    before = present(tmp_path)
    answer = clean(tmp_path / "study.yaml", "--yes")
    assert (answer.code, f"{record} is damaged" in answer.err) == (1, True)
    assert present(tmp_path) == before


def test_a_study_whose_files_are_missing_does_not_decide(clean: Clean, tmp_path: Path) -> None:
    lost = tmp_path / "lost.yaml"
    coco = "kind: coco\n  root: /nowhere\n  classes: [x]\n  train: {annotations: a.json, images: i}\n"
    lost.write_text(
        VALID.replace("kind: shapes\n  train_images: 8\n", f"{coco}  val: {{annotations: b.json, images: j}}\n")
    )
    answer = clean(lost, "--only-given", "--yes")
    assert (answer.code, "which trials it has is not known" in answer.err) == (2, True)
    assert OLD in present(tmp_path)


def test_nothing_is_deleted_while_a_run_uses_the_store(clean: Clean, plan: Plan, tmp_path: Path) -> None:
    before = present(tmp_path)
    (tmp_path / "store" / "tune").mkdir()
    with Store(tmp_path / "store").only_run():
        answer = clean(tmp_path / "study.yaml", "--yes")
        assert leftovers(Store(tmp_path / "store")) == []
    assert (answer.code, "another stillhouse run is using the store" in answer.err) == (1, True)
    assert present(tmp_path) == before


def test_what_a_killed_run_and_a_killed_deletion_left_goes_too(
    clean: Clean, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = Store(tmp_path / "store")
    scratch, half = tmp_path / "stillhouse-abcd_123", store.trials / f"{DELETED}{OLD}"
    lease = store.leases / "job-0a1b2c3d4e5f"
    for folder in (scratch, half, store.tune_dir, lease):
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
    (store.root / "run.lock").touch()
    (store.root / NOTE).write_text(f"{os.getpid()}@1\n{scratch}\n")  # the number of another process by now
    found = clean(tmp_path / "study.yaml", "--json").json
    assert {one["name"] for one in found["unused"]} == {OLD, OLDER, half.name, "tune", lease.name}
    assert found["leaks"] == [f"folder {scratch} holds temporary files of a run that was killed"]
    clean(tmp_path / "study.yaml", "--yes")
    assert not any(folder.exists() for folder in (scratch, half, store.tune_dir, lease))


def test_a_deletion_that_is_killed_leaves_no_trial(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")

    def killed(path: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", killed)
    kept = {trial.id for trial in plan.trials}
    with pytest.raises(KeyboardInterrupt):
        delete(unused_trials(store, kept), store)
    assert [one.name for one in unused_trials(store, kept)] == [OLD]
    assert [one.name for one in leftovers(store)] == [f"{DELETED}{OLDER}"]


def test_states_for_other_trials_go_that_no_given_study_keeps_or_starts_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = ("--set", "scaling.keep_states=last")
    one, other, *_ = planned(tmp_path, MILESTONES).students
    has_trained(one, 12, 4, 8, status="finished")  # the third starts after epoch 8, and nobody after 4
    has_trained(other, 9, 7)  # it goes on, and hands on what it will
    for epoch, size in ((11, 2), (12, 1)):
        (one.directory / f"kept-{epoch}.pt").write_bytes(b"x" * size)

    def listed(*words: str) -> list[str]:
        found = runner(capsys)("clean", "--store", tmp_path / "store", tmp_path / "study.yaml", "--json", *words)
        return [row["name"] for row in found.json["unused"]]

    assert listed(*keep) == [f"{one.id}/kept-11.pt", f"{one.id}/shared-4.pt"]
    assert listed("--yes") == [f"{one.id}/kept-11.pt", f"{one.id}/kept-12.pt", f"{one.id}/shared-4.pt"]
    assert [path.name for path in one.directory.glob("*.pt")] == ["shared-8.pt"]
    assert [path.name for path in other.directory.glob("*.pt")] == ["shared-7.pt"]


def test_states_are_listed_the_biggest_first_and_equal_ones_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, *_ = planned(tmp_path, MILESTONES).students
    has_trained(one, 12, 8, status="finished")
    for epoch, size in ((12, 7), (6, 1), (11, 9), (7, 7)):
        (one.directory / f"kept-{epoch}.pt").write_bytes(b"x" * size)
    found = runner(capsys)("clean", "--store", tmp_path / "store", tmp_path / "study.yaml", "--json").json["unused"]
    assert [(row["name"], row["bytes"]) for row in found] == [
        (f"{one.id}/kept-{epoch}.pt", size) for epoch, size in ((11, 9), (12, 7), (7, 7), (6, 1))
    ]


def test_trials_of_equal_size_are_listed_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for name, size in ((OLDER, 5), (OLD, 5), ("f" * 12, 6)):
        (store.trials / name).mkdir(parents=True)
        (store.trials / name / "last.pth").write_bytes(b"x" * size)
    assert [one.name for one in unused_trials(store, set())] == ["f" * 12, OLD, OLDER]
