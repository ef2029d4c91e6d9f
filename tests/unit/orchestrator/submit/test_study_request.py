"""A study is submitted for the store that was named, else for the usual one, and the same study under the same key."""

from pathlib import Path

import pytest

from orchestrator.study.load import load_study
from orchestrator.submit.identity import Attempt, key_in
from orchestrator.submit.job_request import JobRequest
from orchestrator.submit.shipment import Shipment
from orchestrator.submit.study_request import study_request
from tests.unit.orchestrator.study_text import VALID, write


@pytest.fixture(autouse=True)
def usual_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_STORE", str(tmp_path / "usual"))


def request(folder: Path, *sets: str, **given: object) -> JobRequest:
    loaded = load_study(write(folder, VALID), sets)
    return study_request(loaded, sets, **given)  # type: ignore[arg-type]


def test_the_store_is_the_one_that_is_named_else_the_usual_one(tmp_path: Path) -> None:
    assert request(tmp_path).store == request(tmp_path, store="").store == str(tmp_path / "usual")
    assert request(tmp_path, store="/shared/runs").store == "/shared/runs"
    assert request(tmp_path, store=Path("/shared/runs")).store == "/shared/runs"
    assert request(tmp_path, store="file:///shared/runs/").store == "/shared/runs"


def test_the_key_is_that_of_the_study_and_its_store(tmp_path: Path) -> None:
    key = request(tmp_path, store="/shared/runs").key
    assert key_in(str(Attempt(key, 1))) == key
    assert request(tmp_path, store=Path("/shared/runs/")).key == key
    assert request(tmp_path, store="/shared/others").key != key
    assert request(tmp_path, "search.seeds=[7]", store="/shared/runs").key != key


def test_a_shortened_study_has_a_name_of_its_own(tmp_path: Path) -> None:
    full, short = request(tmp_path), request(tmp_path, "fidelity=short")
    assert (full.study, short.study) == ("demo", "demo-short")
    assert full.key != short.key


def test_all_that_was_given_is_in_the_request(tmp_path: Path) -> None:
    plain = request(tmp_path)
    assert (plain.study, plain.options, plain.python, plain.variables, plain.resources) == ("demo", (), None, {}, {})
    assert set(plain.shipment.files) == {"study.yaml"}
    packed = Shipment({"other.yaml": b""})
    full = request(
        tmp_path, trust_config=True, options=["--random-weights"], python="/opt/python",
        variables={"STILLHOUSE_DATA": "/data"}, resources={"safe": 0.01}, shipment=packed,
    )  # fmt: skip
    assert full.options == ("--trust-config", "--random-weights")
    assert (full.python, full.variables, full.resources) == (
        "/opt/python",
        {"STILLHOUSE_DATA": "/data"},
        {"safe": 0.01},
    )
    assert full.shipment == packed
