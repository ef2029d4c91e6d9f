"""Five questions of the morning are answered in at most two clicks from the first page, whatever the store is like."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient
from playwright.sync_api import Browser, Locator, Page, expect

from dashboards.export import export
from dashboards.snapshot import Query
from orchestrator.core.store import Store
from orchestrator.tracking.history.recorded import Latest
from tests.benchmarks.many_runs import build
from tests.e2e.dashboard.browser import watched
from tests.e2e.dashboard.conftest import served
from tests.e2e.dashboard.real_store import RealStore
from tests.e2e.stillhouse import ROOT, stillhouse
from tests.unit.dashboards.fake_tracking import AP, START, TEACHER_CONFIG, FakeTracking, taught_by

MOST = 2
NOW = START + 7200
TEACHER = "0000000000aa"


@dataclass
class Reader:
    """Hold a page and the clicks that were made on it since it was opened."""

    page: Page
    address: str
    clicks: int = 0

    def begin(self) -> None:
        """Open the first page."""
        self.page.goto("about:blank")
        self.page.goto(self.address)
        self.page.wait_for_selector("main[data-view=overview]")
        self.clicks = 0

    def click(self, place: Locator) -> None:
        """Click once."""
        place.click()
        self.clicks += 1
        assert self.clicks <= MOST

    def open_study(self, name: str) -> None:
        """Open a study's page where the first page lists several."""
        link = self.page.get_by_role("link", name=name, exact=True)
        if self.page.locator("#studies").count():
            self.click(link.first)
        expect(self.page.locator("h1")).to_have_text(name)


def ask(reader: Reader, study: dict[str, Any], answers: dict[str, str]) -> None:
    """Ask the five questions; each begins on the first page, and ``answers`` are the texts that must be seen."""
    page, name = reader.page, study["name"]
    questions: dict[str, Callable[[], Locator]] = {
        "did it help, and how sure is that": lambda: page.locator("#gain-sentence"),
        "which student do I take": lambda: page.locator(".answer"),
        "when is it done": lambda: page.locator("dt", has_text="Time left").locator("xpath=following-sibling::dd"),
    }
    for question, place in questions.items():
        reader.begin()
        reader.open_study(name)
        expect(place(), question).to_contain_text(answers[question])
    for question, view in (("what failed", "failures"), ("where does it fail on images", "predictions")):
        reader.begin()
        reader.open_study(name)
        reader.click(page.locator(f"#view-{view}"))
        expect(page.locator("main"), question).to_contain_text(answers[question])


def studies_at(page: Page, address: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.request.get(f"{address}api/snapshot").json()["studies"]
    return found


def test_made_up_studies(browser: Browser, address: str) -> None:
    with watched(browser) as look:
        [study] = [found for found in studies_at(look.page, address) if found["name"] == "sweep"]
        answers = {
            "did it help, and how sure is that": f"Gain: {study['answer']['sentence']}.",
            "which student do I take": "bckd alpha1=4.0 alpha2=2.0 seed=0",
            "when is it done": "nothing runs",
            "what failed": "the loss is not finite at step 70",
            "where does it fail on images": "2 right, 0 wrong, 0 missed",
        }
        ask(Reader(look.page, address), study, answers)
        assert "95 % interval" in study["answer"]["sentence"]
        assert not look.errors


def test_first_page_says_of_each_study_whether_it_helped(browser: Browser, address: str) -> None:
    with watched(browser) as look:
        page = look.show(address, "overview")
        for study in studies_at(page, address):
            row = page.locator(f"#studies tr[data-row='{study['id']}']")
            gain = (study["answer"] or {}).get("gain")
            expect(row).to_contain_text(f"{100 * gain:+.1f}" if gain else "–")
            if gain:
                low, high = (f"{100 * end:+.1f}".replace("-", "−") for end in study["answer"]["gain_interval"])
                expect(row).to_contain_text(f"95 %: {low} to {high}")


def test_a_study_that_was_really_run(browser: Browser, real: RealStore) -> None:
    ask_of(browser, real)


@pytest.mark.slow
def test_a_study_of_blood_cells(browser: Browser, tmp_path: Path) -> None:
    """The same on photographs: the study of the weights on BCCD, one epoch of each training."""
    if not (Path(os.environ.get("STILLHOUSE_DATA", "")) / "bccd").is_dir():
        pytest.skip("STILLHOUSE_DATA names no folder with bccd")
    study, store = ROOT / "configs" / "studies" / "bccd_alpha.yaml", tmp_path / "store"
    short = ("schedule.epochs=1", "teacher.schedule.epochs=2", "search.space.method.alpha1=[1.0]", "search.cohort=4")
    common = (study, *(word for one in short for word in ("--set", one)), "--store", store)
    for command in (("run", *common), ("predict", *common, "--images", 4)):
        answer = stillhouse(*command)
        assert answer.code == 0, answer.err
    uri = Store(store).tracking_uri
    for address in served(uri):
        ask_of(browser, RealStore(address, MlflowClient(tracking_uri=uri)))


def ask_of(browser: Browser, real: RealStore) -> None:
    """Ask the five questions of a store that one study was run in to its end, with predictions."""
    with watched(browser) as look:
        study = studies_at(look.page, real.address)[0]
        best = max(map(real.best, real.students))
        answers = {
            "did it help, and how sure is that": f"Gain: {study['answer']['sentence']}.",
            "which student do I take": f"{100 * best:.1f}",
            "when is it done": "none, all trials have ended",
            "what failed": "Nothing failed",
            "where does it fail on images": "Ground truth",
        }
        ask(Reader(look.page, real.address), study, answers)
        assert not look.errors
        assert not look.strangers


def test_a_thousand_runs(browser: Browser, tmp_path: Path) -> None:
    for address in served(build(tmp_path, 1000, epochs=3)):
        with watched(browser) as look:
            assert len(look.page.request.get(f"{address}api/snapshot").json()["trials"]) == 1000
            studies = studies_at(look.page, address)
            answers = {
                "did it help, and how sure is that": f"Gain: {studies[0]['answer']['sentence']}.",
                "which student do I take": "bckd alpha1=",
                "when is it done": "none, all trials have ended",
                "what failed": "loss is not finite",
                "where does it fail on images": NO_PICTURES,
            }
            ask(Reader(look.page, address), studies[0], answers)
            assert "95 % interval" in studies[0]["answer"]["sentence"]
            assert not look.errors
            assert not look.strangers


def alike(store: FakeTracking, study: str, scores: list[float], **given: Any) -> None:
    """Add a distilled student for each score."""
    for seed, score in enumerate(scores):
        params = {"seed": str(seed)} | taught_by(TEACHER)
        curves = {AP: [score / 2, score], "time/train_s": [100.0, 100.0]}
        store.trial(study, "bckd", curves, params=params, **given)


def add_teacher(store: FakeTracking, study: str, **given: Any) -> None:
    params = {"student.config": TEACHER_CONFIG, "seed": "0", "schedule.epochs": "12"}
    curves = {AP: [0.3, 0.4], "time/train_s": [100.0, 100.0]}
    store.trial(study, "none", curves, role="teacher", trial=TEACHER, params=params, **given)


def recent(epochs: int = 2) -> dict[str, Latest]:
    return {AP: Latest(0.3, epochs, NOW - 5), "time/train_s": Latest(100.0, epochs, NOW - 5)}


def half_failed() -> FakeTracking:
    store = FakeTracking()
    study = store.study("half", planned=4)
    for seed in range(2):
        store.trial(study, "none", {AP: [0.2 + 0.01 * seed]}, params={"seed": str(seed)})
    alike(store, study, [0.3, 0.31], outcome="failed", reason="CUDA out of memory")
    return store


def only_the_teacher() -> FakeTracking:
    store = FakeTracking()
    study = store.study("night", planned=3)
    add_teacher(store, study, outcome="", metrics=recent())
    return store


def running() -> FakeTracking:
    store = FakeTracking()
    study = store.study("half way", planned=4)
    add_teacher(store, study)
    store.trial(study, "none", {AP: [0.2, 0.25], "time/train_s": [100.0] * 2}, params={"seed": "0"})
    alike(store, study, [0.3], outcome="", metrics=recent())
    return store


NO_PICTURES = "No predictions are recorded"
CASES = {
    "half failed": (
        half_failed,
        {
            "did it help, and how sure is that": "none; the best student is one trained alone",
            "which student do I take": "21.0",
            "when is it done": "none, all trials have ended",
            "what failed": "CUDA out of memory",
            "where does it fail on images": NO_PICTURES,
        },
    ),
    "only the teacher": (
        only_the_teacher,
        {
            "did it help, and how sure is that": "No student has been trained to its end yet",
            "which student do I take": "no student is finished yet",
            # Ten epochs of the teacher and two students of 12, at 100 s: 3,400 s.
            "when is it done": "about 56 min 40 s",
            "what failed": "Nothing failed",
            "where does it fail on images": NO_PICTURES,
        },
    ),
    "running": (
        running,
        {
            "did it help, and how sure is that": "none; the best student is one trained alone",
            "which student do I take": "25.0",
            "when is it done": "about 36 min 40 s",  # 10 epochs of the one that runs, 12 of the one to come
            "what failed": "Nothing failed",
            "where does it fail on images": NO_PICTURES,
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_studies_in_trouble_or_under_way(case: str, browser: Browser, tmp_path: Path) -> None:
    make, answers = CASES[case]
    store, file = make(), tmp_path / "page.html"
    export(store, Query(now=NOW), file)
    with watched(browser) as look:
        name = next(run.study for run in store.runs() if run.kind == "study")
        ask(Reader(look.page, file.as_uri()), {"name": name}, answers)
        assert not look.errors


def test_both_tables_mark_the_row_that_the_gain_is_of(browser: Browser, tmp_path: Path) -> None:
    """The best student stands in a row whose mean another row exceeds: the page has one answer all the same."""
    store = FakeTracking()
    study = store.study("two rows", planned=4)
    for alpha, scores in (("1.0", (0.5, 0.1)), ("2.0", (0.4, 0.39))):
        for seed, score in enumerate(scores):
            params = {"seed": str(seed), "method.alpha1": alpha} | taught_by(TEACHER)
            store.trial(study, "bckd", {AP: [score]}, params=params)
    file = tmp_path / "page.html"
    export(store, Query(now=NOW), file)
    with watched(browser) as look:
        for view in ("overview", "leaderboard"):
            page = look.show(file.as_uri(), view)
            expect(page.locator("tr.best")).to_have_count(1)
            expect(page.locator("tr.best")).to_contain_text("alpha1=1.0")


def test_an_empty_store_answers_all_five_at_once(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    export(FakeTracking(), Query(now=NOW), file)
    with watched(browser) as look:
        look.page.goto(file.as_uri())
        expect(look.page.locator(".state.empty")).to_contain_text("No study is recorded yet")
        assert not look.errors


def test_views_say_that_only_the_teacher_has_begun(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    export(only_the_teacher(), Query(now=NOW), file)
    with watched(browser) as look:
        for view in ("leaderboard", "classes", "parallel", "cost", "phases"):
            page = look.show(file.as_uri(), view)
            expect(page.locator(".state.empty"), view).to_contain_text("No student has begun yet")
        page = look.show(file.as_uri(), "leaderboard", q="nosuchthing")
        expect(page.locator(".state.empty")).to_contain_text("No trial passes the filters")


def test_an_early_stop_is_told_as_such_and_is_no_failure(browser: Browser, tmp_path: Path) -> None:
    store = FakeTracking()
    study = store.study("stopped", planned=2)
    alike(store, study, [0.3])
    alike(store, study, [0.2], outcome="stopped", reason="ASHA: below the median")
    file = tmp_path / "page.html"
    export(store, Query(now=NOW), file)
    with watched(browser) as look:
        page = look.show(file.as_uri(), "failures")
        expect(page.locator(".state.empty")).to_contain_text("1 trial stopped early, which is no failure")
        page = look.show(file.as_uri(), "overview")
        expect(page.locator(".states")).to_contain_text("1 stopped early")
        expect(page.locator("#tile-failures")).to_contain_text("Nothing failed")


def test_panels_of_a_study_lead_to_their_views(browser: Browser, address: str) -> None:
    with watched(browser) as look:
        study = next(found for found in studies_at(look.page, address) if found["name"] == "sweep")
        for view in ("curves", "alpha", "leaderboard", "predictions", "failures"):
            page = look.show(address, "overview", study=study["id"])
            page.locator(f"#tile-{view} h2 a").click()
            expect(page.locator(f"main[data-view={view}]")).to_be_visible()
        page = look.show(address, "overview", study=study["id"])
        expect(page.locator("#top-rows tbody tr")).to_have_count(5)
        expect(page.locator("#top-rows tr.best")).to_contain_text("bckd alpha1=4.0 alpha2=2.0")
        expect(page.locator("#next")).to_contain_text("stillhouse export STUDY --to student")
        expect(page.locator(".strip .panel")).to_have_count(4)
        assert not look.errors
