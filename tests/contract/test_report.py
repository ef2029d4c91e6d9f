"""``report`` writes from MLflow what trials have left there, and from their directories when MLflow is away."""

import base64
import hashlib
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.study.load import load_study
from orchestrator.tracking.client import open_client
from orchestrator.tracking.counts import read_counts
from orchestrator.tracking.reading import read_study
from tests.contract.mlflow_server import free_port
from tests.contract.test_tracking import finish, migrated, sync  # noqa: F401  a fixture
from tests.e2e.dashboard.fake_store import keep_predictions
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.orchestrator.planning import LAPTOP
from tests.unit.orchestrator.study_text import VALID, write
from trainers.schema.record import BEST, COUNTS

SETS = ("--set", "scaling.workers=1", "--set", "search.space.method.alpha2=[4.0]")


@pytest.fixture
def stillhouse(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    return runner(capsys)


@pytest.fixture
def study(tmp_path: Path, migrated: Path) -> tuple[Path, Store, Plan]:  # noqa: F811
    """A teacher, two seeds of none and two of BCKD, all finished."""
    (tmp_path / "store").mkdir()
    shutil.copyfile(migrated, tmp_path / "store" / "mlflow.db")
    path, store = write(tmp_path, VALID), Store(tmp_path / "store")
    plan = make_plan(load_study(path, SETS[1::2]), store, LAPTOP)
    for trial, ap in zip(plan.trials, (0.5, 0.25, 0.3125, 0.375, 0.4375), strict=True):
        finish(trial, ap / 2, ap, ap / 4)
    return path, store, plan


@pytest.mark.parametrize("by_variable", [False, True])
def test_the_command_that_repeats_the_study_names_its_store(study, stillhouse, monkeypatch, by_variable):
    path, store, _ = study
    named = () if by_variable else ("--store", store.root)
    monkeypatch.setenv("STILLHOUSE_STORE", str(store.root) if by_variable else "elsewhere")
    answer = stillhouse("report", path, *SETS, *named)
    assert f"alpha2=[4.0]' --store {store.root}\n" in answer.out


def test_the_command_that_repeats_a_study_of_the_default_store_names_none(study, stillhouse, monkeypatch):
    path, store, _ = study
    monkeypatch.chdir(store.root.parent)
    monkeypatch.delenv("STILLHOUSE_STORE", raising=False)
    store.root.rename("stillhouse-runs")
    answer = stillhouse("report", path, *SETS)
    assert answer.code == 0, answer.err
    assert "--store" not in answer.out


def table(answer: Answer) -> list[str]:
    return [line for line in answer.out.splitlines() if line.startswith("| ")][2:]


def test_the_table_and_what_it_rests_on_come_from_mlflow(study, stillhouse):
    path, store, plan = study
    sync(plan, store)
    weights = hashlib.sha256((plan.trials[0].directory / BEST).read_bytes()).hexdigest()
    for trial in plan.trials:
        shutil.rmtree(trial.directory)
    answer = stillhouse("report", path, *SETS, "--store", store.root)
    assert answer.code == 0, answer.err
    teacher, none, bckd = table(answer)
    assert teacher.startswith("| teacher | 1 | 50.0 |")
    assert none.startswith("| none | 2 | 28.1 ± 4.4 |")
    assert bckd.startswith("| **bckd alpha2=4.0** | **2** | **40.6 ± 4.4** |")
    assert bckd.endswith("| **+12.5** | **1** |")
    root = Path(__file__).parents[2]
    assert f"- lock (SHA-256): {hashlib.sha256((root / 'requirements.lock').read_bytes()).hexdigest()}" in answer.out
    assert f"- teacher (SHA-256): {weights}, trial {plan.trials[0].id}" in answer.out
    assert f"$ stillhouse run {path} --set scaling.workers=1 --set 'search.space.method.alpha2=[4.0]'" in answer.out


def test_the_same_results_make_the_same_report(study, stillhouse, tmp_path):
    path, store, plan = study
    sync(plan, store)
    for name in ("latex", "csv", "html"):
        common = ("report", path, *SETS, "--store", store.root, "--format", name)
        assert stillhouse(*common, "--output", tmp_path / name).code == 0
        again = stillhouse(*common).out
        assert (tmp_path / name).read_bytes().decode() == again
        assert "40.6" in again


def pictures_in(text: str) -> dict[str, bytes]:
    found = re.findall(r'src="data:(image/[a-z+]+);base64,([^"]+)"', text)
    return {kind: base64.b64decode(content) for kind, content in found}


def test_a_page_holds_the_curves_and_what_was_seen(study, stillhouse, tmp_path):
    """It stands alone: nothing beside it is needed to know what was trained, how it went and what it finds."""
    path, store, plan = study
    sync(plan, store)
    common = ("report", path, *SETS, "--store", store.root, "--format", "html")
    text = stillhouse(*common).out
    assert list(pictures_in(text)) == ["image/svg+xml"]
    assert ET.fromstring(pictures_in(text)["image/svg+xml"]).tag.endswith("svg")
    keep_predictions(plan, open_client(plan, store), tmp_path)
    seen = pictures_in(stillhouse(*common).out)
    assert list(seen) == ["image/svg+xml", "image/jpeg"]
    with Image.open(io.BytesIO(seen["image/jpeg"])) as picture:
        picture.load()
        assert picture.width > picture.height  # two images, and a column for the objects and for each of four trials
    assert "Gain: +12.5 AP over none (2 seeds each)" in text
    assert "drawn shapes, 3 classes" in text


def test_a_page_without_a_finished_student_has_no_picture(tmp_path, migrated, stillhouse):  # noqa: F811
    (tmp_path / "store").mkdir()
    shutil.copyfile(migrated, tmp_path / "store" / "mlflow.db")
    path, store = write(tmp_path, VALID), Store(tmp_path / "store")
    plan = make_plan(load_study(path, SETS[1::2]), store, LAPTOP)
    finish(plan.trials[0], 0.5)
    sync(plan, store, plan.trials[0])
    answer = stillhouse("report", path, *SETS, "--store", store.root, "--format", "html")
    assert answer.code == 0, answer.err
    assert pictures_in(answer.out) == {}


COUNTED = {"images_used": 205, "boxes_used": 2, "by_class": {"circle": 1, "square": 1}}


@pytest.mark.parametrize("content", [{"train": COUNTED, "val": COUNTED}, {"train": []}, {}])
def test_counts_of_the_data_outlive_the_store(content, study, migrated):  # noqa: F811
    _, store, plan = study
    (plan.trials[0].directory / COUNTS).write_text(json.dumps(content))
    whole = content if "val" in content else None
    assert read_counts(plan.trials, {}, None) == whole
    client = sync(plan, store).connect()
    for trial in plan.trials:
        shutil.rmtree(trial.directory)
    assert read_counts(plan.trials, read_study(plan, store).runs, client) == whole


def test_counts_that_nobody_wrote_are_not_known(study):
    _, store, plan = study
    client = sync(plan, store).connect()
    assert read_counts(plan.trials, read_study(plan, store).runs, client) is None


def test_an_mlflow_that_is_away_is_replaced_by_the_directories(study, stillhouse):
    path, store, _ = study
    away = ("--set", f"tracking.uri=http://127.0.0.1:{free_port()}")
    answer = stillhouse("report", path, *SETS, *away, "--store", store.root)
    assert answer.code == 0
    assert "numbers come from the trials' directories" in answer.err
    assert table(answer)[2].startswith("| **bckd alpha2=4.0** | **2** | **40.6 ± 4.4** |")
    assert "- revision: not recorded" in answer.out


def test_mistakes_are_one_sentence(study, stillhouse, tmp_path):
    path, store, plan = study
    sync(plan, store)
    answer = stillhouse("report", path, *SETS, "--store", store.root, "--output", tmp_path / "no" / "file.md")
    assert (answer.code, len(answer.complaints)) == (1, 1)
    assert "cannot write to" in answer.err
    answer = stillhouse("report", path, *SETS, "--store", tmp_path / "empty")
    assert (answer.code, len(answer.complaints)) == (2, 1)
