import base64
import json
import re
from html.parser import HTMLParser

import pytest

from dashboards.export import LIMIT, document, export
from dashboards.predictions import TAG
from dashboards.snapshot import Query, as_json, snapshot
from orchestrator.core.errors import OperationError, UserError
from tests.unit.dashboards.example_store import HOSTILE, NOW, example_store
from tests.unit.dashboards.fake_tracking import AP, FakeTracking

QUERY = Query(now=NOW)


class Parts(HTMLParser):
    """Collect scripts by type, and everything that a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.data, self.fetched, self.tags, self._inside = "", [], [], False

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.fetched += [
            value for name, value in attrs if name in ("src", "href") and not value.startswith(("#", "data:"))
        ]
        self._inside = tag == "script" and found.get("id") == "snapshot"

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.data += data


def parts_of(path) -> Parts:
    parts = Parts()
    parts.feed(path.read_text(encoding="utf-8"))
    return parts


def test_file_holds_the_snapshot_and_fetches_nothing(tmp_path):
    size = export(example_store(), QUERY, tmp_path / "x.html")
    parts = parts_of(tmp_path / "x.html")
    wanted = json.loads(as_json(snapshot(example_store(), Query(now=NOW, live=False))))
    assert json.loads(parts.data) == wanted
    assert parts.fetched == []
    assert size == (tmp_path / "x.html").stat().st_size < LIMIT


def test_hostile_texts_open_no_element(tmp_path):
    plain = FakeTracking()
    plain.foreign("run", {AP: [0.1]})
    export(plain, QUERY, tmp_path / "plain.html")
    export(example_store(), QUERY, tmp_path / "hostile.html")
    assert parts_of(tmp_path / "hostile.html").tags == parts_of(tmp_path / "plain.html").tags
    assert HOSTILE in {trial["name"] for trial in json.loads(parts_of(tmp_path / "hostile.html").data)["trials"]}


def test_policy_forbids_requests(tmp_path):
    export(example_store(), QUERY, tmp_path / "x.html")
    [policy] = re.findall(
        r'Content-Security-Policy" content="([^"]+)"', (tmp_path / "x.html").read_text(encoding="utf-8")
    )
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy


@pytest.fixture
def small(monkeypatch) -> int:
    """Leave 100 kB for the snapshot beside the page's own scripts."""
    limit = len(document({}).encode()) + 100_000
    monkeypatch.setattr("dashboards.export.LIMIT", limit)
    return limit


def test_large_stores_are_thinned_until_they_fit(tmp_path, small):
    store = FakeTracking()
    for number in range(10):
        curve = [((7919 * number + 104729 * epoch) % 99991) / 99991 for epoch in range(400)]
        store.foreign(f"run {number}", dict.fromkeys((AP, *"abcdefghijkl"), curve))
    size = export(store, QUERY, tmp_path / "x.html")
    found = json.loads(parts_of(tmp_path / "x.html").data)
    assert size <= small
    assert "thinned" in found["notes"][0]
    lines = found["histories"]["runs"][found["trials"][0]["run"]]
    [[steps, values]] = [(found["histories"]["steps"][place], values) for metric, place, values in lines if metric == 0]
    assert (steps[0], steps[-1]) == (1, 400)
    assert max(values) == pytest.approx(found["trials"][0]["best"][0], abs=1e-5)


def test_a_store_that_cannot_fit_is_refused(tmp_path, small):
    store = FakeTracking()
    store.foreign("x", {AP: [0.1]}, params={"x": "x" * small})
    with pytest.raises(OperationError, match="--study"):
        export(store, QUERY, tmp_path / "x.html")
    assert list(tmp_path.iterdir()) == []


class Files:
    def __init__(self, files: dict[tuple[str, str], bytes]) -> None:
        self._files = files

    def artifact(self, run: str, path: str, largest: int) -> bytes | None:
        return self._files.get((run, path))


def with_predictions(size: int) -> tuple[FakeTracking, Files, str, str]:
    """Return a study with two pictures of ``size`` bytes and one trial that looked at them."""
    store = FakeTracking()
    study = store.study("s")
    run = store.trial(study, "bckd", {AP: [0.1]}, tags={TAG: "2"})
    index = {"images": [{"key": "11"}, {"key": "12"}], "trials": {"x": "bckd"}}
    files = {(study, "predictions/index.json"): json.dumps(index).encode(), (run, "predictions/scores.json"): b"{}"}
    for key in ("11", "12"):
        files[study, f"predictions/images/{key}.jpg"] = key.encode() * (size // 2)
        files[run, f"predictions/{key}.json"] = b'{"boxes": []}'
    return store, Files(files), study, run


def test_predictions_travel_with_the_file(tmp_path):
    store, files, study, run = with_predictions(100)
    export(store, QUERY, tmp_path / "x.html", files)
    kept = json.loads(parts_of(tmp_path / "x.html").data)["artifacts"]
    assert set(kept) == {
        f"{study}/predictions/index.json", f"{run}/predictions/scores.json", f"{run}/predictions/11.json",
        f"{run}/predictions/12.json", f"{study}/predictions/images/11.jpg", f"{study}/predictions/images/12.jpg",
    }  # fmt: skip
    assert base64.b64decode(kept[f"{study}/predictions/images/12.jpg"].partition(",")[2]) == b"12" * 50


def test_pictures_that_do_not_fit_are_left_out_and_said(tmp_path):
    store, files, study, _ = with_predictions(1_000_000)
    size = export(store, QUERY, tmp_path / "x.html", files)
    found = json.loads(parts_of(tmp_path / "x.html").data)
    assert f"{study}/predictions/images/11.jpg" in found["artifacts"]
    assert f"{study}/predictions/images/12.jpg" not in found["artifacts"]
    assert "s: not all of its pictures" in found["notes"][0]
    assert size <= LIMIT


def test_curves_travel_with_the_file_within_a_share_of_the_room(tmp_path):
    store, files, study, run = with_predictions(100)
    content = {f"predictions/{name}.json": {"format": 1} for name in ("curves", "confusions")}
    files = Files(files._files | {(run, path): json.dumps(found).encode() for path, found in content.items()})
    export(store, QUERY, tmp_path / "x.html", files)
    found = json.loads(parts_of(tmp_path / "x.html").data)
    assert {path: found["artifacts"][f"{run}/{path}"] for path in content} == content
    assert f"{study}/predictions/images/12.jpg" in found["artifacts"]

    large = Files(files._files | {(run, "predictions/curves.json"): json.dumps({"whole": "x" * 600_000}).encode()})
    export(store, QUERY, tmp_path / "y.html", large)
    found = json.loads(parts_of(tmp_path / "y.html").data)
    assert f"{run}/predictions/curves.json" not in found["artifacts"]
    assert f"{study}/predictions/images/12.jpg" in found["artifacts"]  # pictures have room of their own
    assert "s: not all of its curves fit into this file" in found["notes"]


def two_studies() -> FakeTracking:
    store = FakeTracking()
    for name in ("first", "second"):
        store.trial(store.study(name), "bckd", {AP: [0.1], "loss/pkd": [1.0], "class_AP/cat": [0.2]})
    store.study("empty")
    return store


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"studies": ("first", "secondd")}, "--study: secondd: .* no trial of this study .did you mean second"),
        ({"studies": ("nope",)}, "--study: nope: .*; there are first and second"),
        ({"studies": ("empty",)}, "--study: empty: .* no trial of this study"),
        ({"metric": "loss/pdk"}, "--metric: no trial has recorded loss/pdk .did you mean loss/pkd"),
        ({"metric": "zzz"}, "--metric: .*; there are coco/bbox_mAP, loss/pkd and class_AP/cat"),
    ],
)
def test_a_study_and_a_metric_that_nothing_has_are_refused(query, says, tmp_path):
    with pytest.raises(UserError, match=says):
        export(two_studies(), Query(now=NOW, **query), tmp_path / "x.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("metric", ["", AP, "loss/pkd", "class_AP/cat", "coco/bbox_mAP_50"])
def test_a_metric_that_is_recorded_or_one_of_the_usual_ones_is_shown(metric, tmp_path):
    assert export(two_studies(), Query(metric, ("first",), now=NOW), tmp_path / "x.html")


def test_a_store_without_runs_takes_any_metric_and_no_study(tmp_path):
    assert export(FakeTracking(), Query("loss/pkd", now=NOW), tmp_path / "x.html")
    with pytest.raises(UserError, match="it has none at all"):
        export(FakeTracking(), Query("", ("first",), now=NOW), tmp_path / "x.html")
