"""A plan has exactly those detectors built that are not known to be sound, each once."""

from pathlib import Path

import pytest
import torch

from orchestrator.api import Study
from orchestrator.core.findings import Finding, StudyErrors
from orchestrator.core.store import Store
from orchestrator.execution.checked_plan import checked_plan
from orchestrator.plan import build_check, model_process
from orchestrator.plan.build_check import build_detectors
from orchestrator.plan.model_process import ProcessEnd
from orchestrator.plan.plan import make_plan
from orchestrator.reports.plan_table import plan_json
from orchestrator.study.load import LoadedStudy, load_study
from tests.unit.orchestrator.planning import LAPTOP
from tests.unit.orchestrator.study_text import TRAINED, VALID, edit, write
from trainers.schema import remote
from trainers.schema.build import BuildAnswer, BuildProblem, BuildRequest, BuildUnit, StartAnswer
from trainers.schema.record import Outcome, write_outcome
from trainers.schema.terms import BUILT_IN, BckdCls
from trainers.schema.zoo import configs_dir

STUDENT = "student:\n  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py\n"
LOCAL = "student:\n  config: own.py\n"
OWN_TEACHER = TRAINED.replace("mmdet::gfl/gfl_r50_fpn_1x_coco.py", "teacher.py")
Asked = list[BuildUnit]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))
    for name in ("own.py", "teacher.py"):
        (tmp_path / name).write_text(f"model = dict(type='GFL', name={name!r})\n")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Stand in for the process, which finds nothing wrong, and note what it was asked."""
    return answering(monkeypatch, {})


def answering(monkeypatch: pytest.MonkeyPatch, problems: dict[str, list[BuildProblem]]) -> Asked:
    """Let the process answer with problems, by the file of a unit's student."""
    found: Asked = []

    def run(request: BuildRequest, folder: Path) -> tuple[list[BuildAnswer], ProcessEnd]:
        found.extend(request.units)
        named = [(unit.key, tuple(problems.get(Path(unit.student.config).name, ()))) for unit in request.units]
        return [BuildAnswer(key=key, problems=told) for key, told in named], ProcessEnd(0, "")

    monkeypatch.setattr(build_check, "_run", run)
    return found


def loaded(folder: Path, text: str, *sets: str) -> LoadedStudy:
    return load_study(write(folder, text), sets, trust_python=True)


def findings(folder: Path, text: str, *sets: str) -> list[str]:
    study = loaded(folder, text, *sets)
    found = build_detectors(study, make_plan(study, Store(folder / "store"), LAPTOP)).findings
    return [str(finding).replace(f"{folder}/", "") for finding in found]


def configs(units: Asked) -> list[tuple[str, str | None]]:
    """Return the files of each unit's student and teacher."""
    return [(Path(u.student.config).name, u.teacher and Path(u.teacher.detector.config).name) for u in units]


PAPER = sorted(configs_dir().glob("studies/*.yaml")) + sorted(configs_dir().glob("paper/*/*.yaml"))


@pytest.mark.parametrize("path", PAPER, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_nothing_of_a_shipped_study_is_built(path: Path, asked: Asked, tmp_path: Path) -> None:
    try:
        study = load_study(path)
    except StudyErrors:
        pytest.skip("a part, which is a study only together with others")
    assert not build_detectors(study, make_plan(study, Store(tmp_path / "store"), LAPTOP)).findings
    # a teacher that codes boxes otherwise: whether that matters is for building to say
    if not path.stem.endswith("_center"):
        assert asked == []


def test_a_local_detector_is_built_alone_and_against_the_teacher_once(asked: Asked, tmp_path: Path) -> None:
    text = edit(STUDENT, LOCAL)
    assert findings(tmp_path, text) == []
    assert configs(asked) == [("own.py", "gfl_r50_fpn_1x_coco.py")]
    [unit] = asked
    assert [method.kind for method in unit.methods] == ["bckd"]  # weights of the search decide nothing about shapes
    assert findings(tmp_path, text) == []
    assert len(asked) == 1
    (tmp_path / "own.py").write_text("model = dict(type='ATSS')\n")
    findings(tmp_path, text)
    assert len(asked) == 2


def test_a_term_of_an_installed_package_is_tried_and_tried_again_when_the_package_has_changed(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The detectors are shipped ones, so no term of ours would be tried on them."""
    assert findings(tmp_path, VALID) == []
    assert asked == []
    monkeypatch.setattr(build_check, "BUILT_IN", tuple(term for term in BUILT_IN if term is not BckdCls))
    for digest in ("first", "first", "second"):
        monkeypatch.setattr(build_check, "extensions", lambda digest=digest: {"theirs": digest})
        assert findings(tmp_path, VALID) == []
    assert [[method.kind for method in unit.methods] for unit in asked] == [["bckd"], ["bckd"]]


def test_a_local_teacher_is_built_and_paired_with_every_student(asked: Asked, tmp_path: Path) -> None:
    findings(
        tmp_path,
        VALID.replace(TRAINED, OWN_TEACHER).replace("method.alpha2: [2.0, 4.0]", "student.backbone_depth: [18, 34]"),
    )
    names = [("teacher.py", None), *[("gfl_r50_fpn_1x_coco.py", "teacher.py")] * 2]
    assert configs(asked) == names
    assert [unit.student.backbone_depth for unit in asked] == [None, 18, 34]


@pytest.mark.parametrize(
    "text", ["_base_ = []\nimport nobodys_package\n", "custom_imports = dict(imports=['nobodys_package'])\n"]
)
def test_a_config_that_cannot_be_read_is_not_built(text: str, asked: Asked, tmp_path: Path) -> None:
    """Reading says why; of a teacher nothing but the students alone is left to build."""
    (tmp_path / "teacher.py").write_text(text)
    (tmp_path / "broken.py").write_text(text)
    study = VALID.replace(TRAINED, OWN_TEACHER).replace(STUDENT, LOCAL)
    findings(tmp_path, study.replace("method.alpha2: [2.0, 4.0]", "student.config: [own.py, broken.py]"))
    assert configs(asked) == [("own.py", None)]


def test_methods_of_other_structure_are_each_tried(asked: Asked, tmp_path: Path) -> None:
    search = 'method: [{kind: bckd}, {kind: bckd, alpha1: 3.0}, {kind: pkd}, {kind: "none"}]'
    findings(tmp_path, edit(STUDENT, LOCAL).replace("method.alpha2: [2.0, 4.0]", search))
    assert [method.kind for method in asked[0].methods] == ["bckd", "pkd"]


def test_a_shipped_detector_that_is_known_to_fail_is_built(asked: Asked, tmp_path: Path) -> None:
    dyhead = STUDENT.replace("gfl/gfl_r50_fpn_1x_coco", "dyhead/atss_r50_fpn_dyhead_1x_coco")
    findings(tmp_path, edit(STUDENT, dyhead).replace(TRAINED, ""), "method={'kind': 'none'}", "search.space={}")
    assert [Path(unit.student.config).parent.name for unit in asked] == ["mmdet::dyhead"]


def test_a_checkpoint_has_to_fit_its_detector(asked: Asked, tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "teacher.pth")
    teacher = TRAINED.replace("kind: train\n", "kind: checkpoint\n  path: teacher.pth\n  coverage: 0.5\n")
    findings(tmp_path, VALID.replace(TRAINED, teacher))
    [unit] = asked
    assert unit.init is not None
    assert (unit.init.path, unit.init.coverage) == (str(tmp_path / "teacher.pth"), 0.5)


def test_each_problem_stands_where_the_study_has_its_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(
        monkeypatch,
        {
            "teacher.py": [BuildProblem(part="student", message="no teacher")],
            "own.py": [
                BuildProblem(part="teacher", message="no teacher"),
                BuildProblem(part="method", method=0, message="other strides"),
            ],
        },
    )
    text = VALID.replace(TRAINED, OWN_TEACHER).replace(STUDENT, LOCAL)
    lines = text.splitlines()
    at = {key: lines.index(key) + 1 for key in ("teacher:", "method:")}
    expected = [
        f"study.yaml:{at['teacher:'] + 2}: teacher.detector: no teacher",
        f"study.yaml:{at['method:'] + 1}: method.kind: other strides",
    ]
    assert findings(tmp_path, text) == expected
    assert findings(tmp_path, text) == expected  # only what could be built is remembered


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (ProcessEnd(-11, ""), "error: study.yaml:9: student: building it ended the process that did so (SIGSEGV)"),
        (
            ProcessEnd(-9, ""),
            "warning: study.yaml:9: student: warning: building it ended the process that did so (SIGKILL)",
        ),
        (ProcessEnd(None, ""), "warning: study.yaml:9: student: warning: building it was given up"),
        (
            ProcessEnd(1, "ImportError: libx.so"),
            "error: study.yaml:9: student: it cannot be built: ImportError: libx.so",
        ),
    ],
    ids=["crash", "killed", "slow", "broken"],
)
def test_a_process_that_dies_is_told_in_one_sentence(
    end: ProcessEnd, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_check, "_run", lambda request, folder: ([], end))
    line = VALID.splitlines().index("student:") + 1
    study = loaded(tmp_path, edit(STUDENT, LOCAL))
    [finding] = build_detectors(study, make_plan(study, Store(tmp_path / "store"), LAPTOP)).findings
    told = f"{finding.level}: {finding}".replace(f"{tmp_path}/", "")
    assert told.startswith(says.replace(":9:", f":{line}:"))


def test_units_after_a_crash_are_built_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[int] = []

    def run(request: BuildRequest, folder: Path) -> tuple[list[BuildAnswer], ProcessEnd]:
        rounds.append(len(request.units))
        answers = [BuildAnswer(key=unit.key) for unit in request.units]
        return (answers[:1], ProcessEnd(-6, "")) if len(rounds) == 1 else (answers, ProcessEnd(0, ""))

    monkeypatch.setattr(build_check, "_run", run)
    text = VALID.replace(TRAINED, OWN_TEACHER).replace(STUDENT, LOCAL)
    [told] = findings(tmp_path, text.replace("method.alpha2: [2.0, 4.0]", "student.width: [0.5, 1.0, 2.0]"))
    assert rounds == [4, 2]
    assert "SIGABRT" in told


def test_without_torch_a_note_says_that_nothing_was_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_process, "find_spec", lambda name: None)
    [told] = findings(tmp_path, edit(STUDENT, LOCAL))
    assert told.endswith("student: note: cannot build detectors for the check: torch is not installed here")


def test_a_study_that_is_finished_builds_nothing(asked: Asked, tmp_path: Path) -> None:
    study, store = loaded(tmp_path, edit(STUDENT, LOCAL)), Store(tmp_path / "store")
    plan = make_plan(study, store, LAPTOP)
    for trial in plan.trials:
        trial.directory.mkdir(parents=True)
        write_outcome(trial.directory, Outcome("finished"))
    checked_plan(study, store, LAPTOP)
    assert asked == []


def test_findings_of_building_are_among_the_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {"own.py": [BuildProblem(part="student", message="no")]})
    plan = checked_plan(loaded(tmp_path, edit(STUDENT, LOCAL)), Store(tmp_path / "store"), LAPTOP)
    [error] = [finding for finding in plan.findings if finding.level == "error"]
    assert isinstance(error, Finding)
    assert error.message == "no"


# ------------------------------------------------------------------------------------------------- detectors as a start


START = "student:\n  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py\n  weights: {kind: checkpoint, path: coco.pth}\n"
RANDOM_STUDENT = "student:\n  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py\n  weights: random\n"
GFL_URL_NAME = "gfl_r50_fpn_1x_coco_20200629_121244-25944287.pth"


def starting(monkeypatch: pytest.MonkeyPatch, problem: str | None = None) -> Asked:
    """Let the process answer each unit that starts from a detector with a report, or a problem."""
    found: Asked = []

    def run(request: BuildRequest, folder: Path) -> tuple[list[BuildAnswer], ProcessEnd]:
        found.extend(request.units)
        wrong = (BuildProblem(part="start", message=problem),) if problem else ()
        start = StartAnswer(said="all but 2", report={"tensors": 5})
        answers = [
            BuildAnswer(key=unit.key, problems=wrong, start=None if wrong else start)
            if unit.starts
            else BuildAnswer(key=unit.key)
            for unit in request.units
        ]
        return answers, ProcessEnd(0, "")

    monkeypatch.setattr(build_check, "_run", run)
    return found


def test_a_start_is_reported_by_every_plan_and_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "coco.pth")
    asked, text = starting(monkeypatch), edit(RANDOM_STUDENT, START)
    line = text.splitlines().index("  weights: {kind: checkpoint, path: coco.pth}") + 1
    for _ in range(2):
        plan = checked_plan(loaded(tmp_path, text), Store(tmp_path / "store"), LAPTOP)
        told = [str(finding) for finding in plan.findings if finding.level == "note"]
        where = f"{tmp_path}/study.yaml:{line}: student.weights"
        assert told == [f"{where}: note: all but 2"]
        assert plan_json(plan)["starts"] == [{"where": where, "tensors": 5}]
    assert [unit.starts for unit in asked] == [True]
    torch.save({"a": torch.zeros(1)}, tmp_path / "coco.pth")
    findings(tmp_path, text)
    assert len(asked) == 2
    findings(tmp_path, text, "dataset.classes=[circle, square]")  # whose rows are taken follows from the names
    assert len(asked) == 3


def test_a_start_that_does_not_fit_is_told_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "coco.pth")
    asked = starting(monkeypatch, "of another architecture")
    detector = "detector: {config: teacher.py, weights: {kind: checkpoint, path: coco.pth}}"
    text = VALID.replace(TRAINED, f"teacher:\n  kind: train\n  {detector}\n")
    line = text.splitlines().index(f"  {detector}") + 1
    for _ in range(2):
        found = findings(tmp_path, text)
        assert found == [f"study.yaml:{line}: teacher.detector.weights: of another architecture"]
    assert len([unit for unit in asked if unit.starts]) == 2


def test_a_public_start_is_built_once_it_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = starting(monkeypatch)
    text = edit(
        RANDOM_STUDENT, START.replace("{kind: checkpoint, path: coco.pth}", "{kind: zoo, name: gfl_r50_fpn_1x_coco}")
    )
    assert findings(tmp_path, text) == []
    assert asked == []
    (tmp_path / "cache" / "weights").mkdir(parents=True)
    torch.save({"a": torch.ones(1)}, tmp_path / "cache" / "weights" / GFL_URL_NAME)
    assert [told.rpartition(": ")[2] for told in findings(tmp_path, text)] == ["all but 2"]
    assert len(asked) == 1


def test_a_public_start_that_does_not_fit_ends_the_run_once_it_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = edit(
        RANDOM_STUDENT, START.replace("{kind: checkpoint, path: coco.pth}", "{kind: zoo, name: gfl_r50_fpn_1x_coco}")
    )
    starting(monkeypatch, "of another architecture")
    here = tmp_path / "cache" / "weights" / GFL_URL_NAME

    def fetch(url: str) -> None:
        here.parent.mkdir(parents=True)
        torch.save({"a": torch.ones(1)}, here)

    monkeypatch.setattr(remote, "fetch", fetch)
    study = Study((), True, loaded(tmp_path, text))
    with pytest.raises(StudyErrors, match=r"student\.weights: of another architecture"):
        study.run(tmp_path / "store")
    assert here.exists()
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_a_detector_whose_start_is_no_checkpoint_is_not_built(tmp_path: Path, asked: Asked, content: bytes) -> None:
    (tmp_path / "coco.pth").write_bytes(content)
    plan = checked_plan(loaded(tmp_path, edit(RANDOM_STUDENT, START)), Store(tmp_path / "store"), LAPTOP)
    told = [str(finding) for finding in plan.findings if finding.level == "error"]
    assert len(told) == 1
    assert "student.weights.path" in told[0]
    assert "coco.pth is" in told[0]
    assert asked == []


def test_a_teachers_file_that_is_no_checkpoint_is_not_loaded(tmp_path: Path, asked: Asked) -> None:
    """The preflight tells what is wrong with it; to load it would tell that again."""
    path = tmp_path / "teacher.pth"
    path.touch()
    teacher = f"teacher:\n  kind: checkpoint\n  path: {path}\n  detector: {{config: teacher.py}}\n"
    assert findings(tmp_path, edit(TRAINED, teacher)) == []
    teachers = [unit.teacher for unit in asked if unit.teacher is not None]
    assert [teacher.weights for teacher in teachers] == [None] * len(teachers)
    assert not any(path.name in unit.model_dump_json() for unit in asked)
