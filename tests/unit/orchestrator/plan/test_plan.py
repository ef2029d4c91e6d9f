"""A plan holds exactly the trials that a run would run, known by what affects their results."""

import shutil
from pathlib import Path

import pytest

from orchestrator.commands.common import with_random_weights
from orchestrator.core.store import Store
from orchestrator.plan.machine import Machine
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.study.load import load_study
from tests.unit.orchestrator.coco_data import section, write_coco
from tests.unit.orchestrator.planning import LAPTOP, STUDIES, brief, ids, plan_file, plan_text, teacher_of
from tests.unit.orchestrator.study_text import TRAINED, VALID, ZOO, edit, write
from trainers.schema.class_names import COCO80
from trainers.schema.record import BEST, HISTORY, Outcome, Record, to_lines, write_outcome

PAPER = STUDIES / "gfl_r50_from_r101_coco.yaml"
QUICKSTART = STUDIES / "quickstart.yaml"
SHAPES = "dataset:\n  kind: shapes\n  train_images: 8\n"
CHECKPOINT = """\
teacher:
  kind: checkpoint
  path: teacher.pth
  coverage: 0.9
  detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", width: 0.5, weights: random}
"""


@pytest.fixture
def base(tmp_path: Path) -> Plan:
    return plan_text(tmp_path, VALID)


@pytest.fixture
def without_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("STILLHOUSE_DATA", raising=False)


# which trials ------------------------------------------------------------------------------------------------------


def test_quickstart_is_a_teacher_a_baseline_and_four_students(tmp_path):
    plan = plan_file(QUICKSTART, store=tmp_path)
    assert brief(plan) == [
        ("teacher", "none", 0),
        ("student", "none", 0),
        ("student", "bckd", 0.5, 2.0, 0),
        ("student", "bckd", 0.5, 4.0, 0),
        ("student", "bckd", 1.0, 2.0, 0),
        ("student", "bckd", 1.0, 4.0, 0),
    ]
    assert len(set(ids(plan))) == 6
    assert all(len(name) == 12 and set(name) <= set("0123456789abcdef") for name in ids(plan))
    assert plan.findings == ()


def test_planning_again_gives_the_same_plan_and_writes_nothing(tmp_path):
    store = tmp_path / "store"
    assert plan_file(QUICKSTART, store=store) == plan_file(QUICKSTART, store=store)
    assert not store.exists()


def test_students_distil_from_the_file_that_the_teacher_will_leave(base):
    teacher = teacher_of(base)
    for student in base.students:
        found = student.spec.teacher
        if student.spec.method.kind == "none":
            assert found is None
        else:
            assert found is not None
            assert found.detector == teacher.spec.student
            assert found.weights is not None
            assert found.weights.path == str(teacher.directory / BEST)


@pytest.mark.parametrize(
    "sets", [("method={kind: none}", "search.space={}"), ("search.space={method: [{kind: none}]}",)], ids=str
)
def test_no_teacher_is_trained_when_nothing_distils(tmp_path, sets):
    assert [role for role, *_ in brief(plan_text(tmp_path, VALID, *sets))] == ["student", "student"]


def test_a_zoo_teacher_is_evaluated_and_not_trained(tmp_path):
    dataset = section(tmp_path / "data").replace("[cat, dog]", "coco80")
    plan = plan_text(tmp_path, edit(TRAINED, ZOO).replace(SHAPES, dataset))
    teacher = teacher_of(plan)
    assert (teacher.estimate.steps, teacher.spec.schedule.iterations) == (0, 0)
    assert teacher.spec.init is not None
    assert teacher.spec.init.path.startswith("https://")
    assert teacher.spec.student.config == "mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py"
    assert {s.spec.teacher.weights for s in plan.students if s.spec.teacher} == {teacher.spec.init}


def test_a_checkpoint_teacher_is_evaluated_and_known_by_its_content(tmp_path):
    (tmp_path / "teacher.pth").write_bytes(b"one")
    text = edit(TRAINED, CHECKPOINT)
    plan = plan_text(tmp_path, text)
    teacher = teacher_of(plan)
    assert teacher.estimate.steps == 0
    assert teacher.spec.init is not None
    assert (teacher.spec.init.path, teacher.spec.init.coverage) == (str(tmp_path / "teacher.pth"), 0.9)
    (tmp_path / "teacher.pth").rename(tmp_path / "moved.pth")
    assert ids(plan_text(tmp_path, text.replace("path: teacher.pth", "path: moved.pth"))) == ids(plan)
    (tmp_path / "teacher.pth").write_bytes(b"two")
    assert changed(plan, plan_text(tmp_path, text)) == {"teacher", "bckd"}


def test_a_random_teacher_needs_no_trial(tmp_path):
    random = CHECKPOINT.replace("kind: checkpoint", "kind: random").replace(
        "  path: teacher.pth\n  coverage: 0.9\n", ""
    )
    plan = plan_text(tmp_path, edit(TRAINED, random))
    assert not plan.teachers
    assert {s.spec.teacher.weights for s in plan.students if s.spec.teacher} == {None}


def test_a_job_tells_the_worker_group_all_it_needs(base, tmp_path):
    plan = plan_text(tmp_path, VALID, "scaling.workers=1", "scaling.teacher_cpus_per_worker=2")
    teacher, student = teacher_of(plan), plan.students[0]
    job = plan.job(teacher)
    assert (job.trial, job.trial_id, job.directory) == (teacher.spec, teacher.id, str(teacher.directory))
    assert (job.placement.threads, plan.job(student).placement.threads) == (2, 1)
    assert Path(job.directory).is_absolute()


# identity ------------------------------------------------------------------------------------------------------------


def changed(before: Plan, after: Plan) -> set[str]:
    """Return of which trials the identities differ: ``teacher``, or the students' method."""
    assert [item[:-1] for item in brief(before)] == [item[:-1] for item in brief(after)]
    pairs = zip(before.trials, after.trials, strict=True)
    return {
        a.role if a.role == "teacher" else a.spec.method.kind for a, b in pairs if a.id != b.id
    }  # fmt: skip


@pytest.mark.parametrize(
    "setting",
    [
        "scaling.workers=1",
        "scaling.cpus_per_worker=7",
        "scaling.teacher_cpus_per_worker=2",
        "scaling.max_concurrent=1",
        "tracking.uri='http://127.0.0.1:5000'",
        "tracking.experiment=other",
        "tracking.tags={a: b}",
        "dataset.evaluator=pycocotools",
        "name=other",
        "description=other",
        "search.scheduler={kind: asha}",
        "search.seed=3",
    ],
)
def test_identities_ignore_what_does_not_affect_results(base, tmp_path, setting):
    after = plan_text(tmp_path, VALID, setting)
    assert changed(base, after) == set()
    assert after.fingerprint == base.fingerprint


def test_identities_ignore_where_results_are_kept_and_what_runs_them(base, tmp_path):
    after = plan_text(tmp_path, VALID, store=tmp_path / "elsewhere", machine=Machine(64, 8))
    assert changed(base, after) == set()
    assert {trial.directory.parent for trial in after.trials} == {tmp_path / "elsewhere" / "trials"}


@pytest.mark.parametrize(
    ("setting", "kinds"),
    [
        ("method.alpha1=2", {"bckd"}),
        ("method.variant=paper", {"bckd"}),
        ("schedule.lr=0.02", {"none", "bckd"}),
        ("schedule.iterations=1", {"none", "bckd"}),
        ("student.backbone_depth=18", {"none", "bckd"}),
        ("teacher.schedule={epochs: 11, policy: {kind: constant}}", {"teacher", "bckd"}),
        ("teacher.seed=1", {"teacher", "bckd"}),
        ("teacher.detector.width=1.5", {"teacher", "bckd"}),
        ("dataset.train_images=9", {"teacher", "none", "bckd"}),
        ("dataset.flip=0", {"teacher", "none", "bckd"}),
    ],
)
def test_identities_follow_what_affects_results(base, tmp_path, setting, kinds):
    after = plan_text(tmp_path, VALID, setting)
    assert changed(base, after) == kinds
    assert after.fingerprint != base.fingerprint


def test_another_seed_is_another_trial_and_the_others_stay(base, tmp_path):
    after = plan_text(tmp_path, VALID, "search.seeds=[0, 2]")
    kept = {trial.spec.seed for trial in base.students} & {trial.spec.seed for trial in after.students}
    assert kept == {0}
    shared = set(ids(base)) & set(ids(after))
    assert shared == {teacher_of(base).id} | {trial.id for trial in base.students if trial.spec.seed == 0}


def test_data_counts_by_the_content_of_its_annotations(tmp_path):
    text = VALID.replace(SHAPES, section(write_coco(tmp_path / "a")))
    before = plan_text(tmp_path, text)
    write_coco(tmp_path / "b")
    assert changed(before, plan_text(tmp_path, text, f"dataset.root={tmp_path / 'b'}")) == set()
    for split in ("train", "val"):
        root = write_coco(tmp_path / f"other-{split}")
        (root / f"{split}.json").write_text((root / f"{split}.json").read_text() + " ")
        assert changed(before, plan_text(tmp_path, text, f"dataset.root={root}")) == {"teacher", "none", "bckd"}


def test_data_that_is_not_here_has_an_identity_too(tmp_path):
    text = VALID.replace(SHAPES, section(tmp_path / "nowhere"))
    assert ids(plan_text(tmp_path, text)) == ids(plan_text(tmp_path, text))
    here = text.replace("nowhere", "here")
    write_coco(tmp_path / "here")
    assert changed(plan_text(tmp_path, text), plan_text(tmp_path, here)) == {"teacher", "none", "bckd"}


def test_studies_share_trials(tmp_path):
    one = plan_text(tmp_path, VALID, "search.space.method.alpha2=[2.0]")
    two = plan_text(tmp_path, VALID, "name=other", "search.space.method.alpha2=[2.0, 3.0]")
    assert set(ids(one)) < set(ids(two))
    assert one.fingerprint != two.fingerprint


def test_a_local_config_counts_by_its_content(tmp_path):
    def planned(name: str, content: str) -> Plan:
        (tmp_path / name).write_text(content)
        text = VALID.replace("  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py", f"  config: {name}")
        loaded = load_study(write(tmp_path, text), trust_python=True)
        return make_plan(loaded, Store(tmp_path / "store"), LAPTOP)

    before = planned("own.py", "model = 1\n")
    assert changed(before, planned("same.py", "model = 1\n")) == set()
    assert changed(before, planned("own.py", "model = 2\n")) == {"none", "bckd"}


# states --------------------------------------------------------------------------------------------------------------


def test_states_come_from_the_trials_directories(base, tmp_path):
    first = [*base.trials][:5]
    assert {trial.status for trial in base.trials} == {"new"}
    for trial in first[1:]:
        trial.directory.mkdir(parents=True)
    (first[1].directory / HISTORY).write_text(to_lines([Record(1, 1, {})]))
    write_outcome(first[2].directory, Outcome("finished"))
    write_outcome(first[3].directory, Outcome("stopped", "early"))
    write_outcome(first[4].directory, Outcome("failed", "why"))
    after = plan_text(tmp_path, VALID)
    assert [trial.status for trial in after.trials][:6] == ["new", "unfinished", "finished", "stopped", "failed", "new"]
    assert ids(after) == ids(base)


# what is missing -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("without_cache")
def test_the_papers_study_is_planned_anywhere_and_names_what_is_missing(tmp_path):
    plan = plan_file(PAPER, store=tmp_path / "store")
    assert brief(plan) == [("teacher", "none", 0), ("student", "none", 0), ("student", "bckd", 0)]
    assert {finding.level for finding in plan.findings} == {"missing"}
    found = {finding.where.rpartition(": ")[2]: finding.message for finding in plan.findings}
    assert found == {
        "dataset.root": "environment variable STILLHOUSE_DATA is not set",
        "student.weights": "weights will be fetched at first use from "
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
        "teacher.name": "weights will be fetched at first use from "
        "https://download.openmmlab.com/mmdetection/v2.0/gfl/gfl_r101_fpn_mstrain_2x_coco/"
        "gfl_r101_fpn_mstrain_2x_coco_20200629_200126-dd12f847.pth",
        "scaling": "one trial needs 8 workers x 1 CPU; here: 2 CPUs and 0 GPUs",
    }
    lines = PAPER.read_text().splitlines()
    for finding in plan.findings:
        file, number, key = finding.where.split(":")
        assert file == str(PAPER)
        assert key.strip().rpartition(".")[2] in lines[int(number) - 1]


@pytest.mark.usefixtures("without_cache")
def test_on_a_machine_with_everything_nothing_is_missing(tmp_path, monkeypatch):
    cache = tmp_path / "cache" / "weights"
    cache.mkdir(parents=True)
    (cache / "resnet50-0676ba61.pth").touch()
    (cache / "gfl_r101_fpn_mstrain_2x_coco_20200629_200126-dd12f847.pth").touch()
    data = write_coco(tmp_path / "coco", boxes=[range(1, 81)], classes=COCO80)
    (data / "annotations").mkdir()
    for split in ("train", "val"):
        (data / f"{split}.json").rename(data / "annotations" / f"instances_{split}2017.json")
        shutil.copytree(data / "images", data / f"{split}2017")
    monkeypatch.setenv("STILLHOUSE_DATA", str(tmp_path))
    short = "schedule.warmup.iterations=2"  # the data here have twelve steps
    plan = plan_file(PAPER, short, store=tmp_path / "store", machine=Machine(64, 8))
    assert plan.findings == ()
    assert plan.resources.concurrent == 1


def test_workers_change_the_resources_and_no_identity(base, tmp_path):
    after = plan_text(tmp_path, VALID, "scaling.workers=2", "scaling.cpus_per_worker=1")
    assert after.resources.workers == 2
    assert ids(after) == ids(base)


@pytest.mark.usefixtures("without_cache")
def test_random_weights_are_other_trials_and_say_so(tmp_path):
    loaded = load_study(PAPER)
    pretrained = make_plan(loaded, Store(tmp_path), LAPTOP)
    random = make_plan(with_random_weights(loaded), Store(tmp_path), LAPTOP)
    assert brief(random) == [("student", "none", 0), ("student", "bckd", 0)]
    assert not set(ids(random)) & set(ids(pretrained))
    assert {trial.spec.student.weights for trial in random.students} == {"random"}
    assert random.students[1].spec.teacher is not None
    assert random.students[1].spec.teacher.weights is None
    loud = [finding for finding in random.findings if "RANDOM WEIGHTS" in finding.message]
    assert [finding.where.rpartition(": ")[2] for finding in loud] == ["student.weights", "teacher.name"]
    assert {finding.level for finding in loud} == {"warning"}
    assert not any("fetched" in finding.message for finding in random.findings)


@pytest.mark.usefixtures("without_cache")
def test_random_weights_leave_alone_what_is_here(tmp_path):
    cached = tmp_path / "cache" / "weights" / "resnet50-0676ba61.pth"
    cached.parent.mkdir(parents=True)
    cached.touch()
    student = with_random_weights(load_study(PAPER)).study.student
    assert student.weights == "imagenet"


def test_findings_are_listed_worst_first(tmp_path):
    root = write_coco(tmp_path / "data", classes=("dog", "cow"))
    shutil.rmtree(root / "images")
    text = VALID.replace(SHAPES, section(root)) + "search: {space: {method: [{kind: none}]}}\n"
    text = text.replace("search:\n  space:\n    method.alpha2: [2.0, 4.0]\n  seeds: [0, 1]\n", "")
    levels = [finding.level for finding in plan_text(tmp_path, text).findings]
    assert levels == ["error", "missing", "missing", "warning"]


def test_what_max_trials_leaves_out_is_told_with_its_place(tmp_path: Path) -> None:
    text = edit("  space:\n", "  max_trials: 2\n  space:\n")
    plan = plan_text(tmp_path, text)
    line = text.splitlines().index("  max_trials: 2") + 1
    [told] = [finding for finding in plan.findings if "leaves out" in finding.message]
    assert told.where.endswith(f":{line}: search.max_trials")
    assert len(plan.students) == 2
