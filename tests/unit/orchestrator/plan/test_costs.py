"""A detector's cost is measured once, found again, and never keeps anything from being read."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.store import Store
from orchestrator.plan import costs as costs_module
from orchestrator.plan import model_process
from orchestrator.plan.costs import Costs, cost_key
from orchestrator.plan.model_process import ProcessEnd
from tests.unit.orchestrator.costs_on_paper import MILLION, Measured, cost_on_paper, measuring_on_paper
from trainers.schema import Detector, ShapesDataset
from trainers.schema.costs import CostAnswer, CostRequest, DetectorCost, unit_of
from trainers.schema.detector import CheckpointWeights, Freeze

CONFIG = "mmdet::gfl/gfl_r50_fpn_1x_coco.py"


def data(**changes: Any) -> ShapesDataset:
    return ShapesDataset(kind="shapes", **changes)


def student(width: float = 1.0, **changes: Any) -> Detector:
    return Detector(config=CONFIG, width=width, **{"weights": "random", **changes})


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measured:
    return measuring_on_paper(monkeypatch, tmp_path / "cache")


def costs_of(folder: Path, dataset: ShapesDataset | None = None) -> Costs:
    return Costs(Store(folder / "store"), dataset or data())


def test_a_form_has_one_number_whatever_trains_it() -> None:
    kept = Freeze(stages=-1, norms=False)
    whole = student(weights=CheckpointWeights(kind="checkpoint", path="gone.pth"))
    assert cost_key(whole, data()) == cost_key(student(freeze=kept), data(seed=5)) == cost_key(student(), data())


@pytest.mark.parametrize(
    ("detector", "dataset"),
    [
        (student(0.5), data()),
        (student(backbone_depth=18), data()),
        (Detector(config="mmdet::atss/atss_r50_fpn_1x_coco.py", weights="random"), data()),
        (student(), data(classes=("circle",))),
        (student(), data(test_size=(96, 96))),
        (student(), data(max_detections=300)),
    ],
)
def test_other_layers_classes_and_sizes_have_other_numbers(detector: Detector, dataset: ShapesDataset) -> None:
    assert cost_key(detector, dataset) != cost_key(student(), data())


def test_all_that_is_asked_is_measured_in_one_process_and_once(measured: Measured, tmp_path: Path) -> None:
    costs = costs_of(tmp_path)
    costs.measure([student(), student(0.5), student()], latency=False)
    costs.measure([student(0.5)], latency=False)
    costs_of(tmp_path).measure([student()], latency=False)  # another process on this machine
    assert measured.widths == [[1.0, 0.5]]
    assert not (tmp_path / "store").exists()
    found = costs.of(student(0.5))
    assert found is not None
    assert found.parameters == 2.5 * MILLION


def test_latency_is_measured_when_it_is_asked_for(measured: Measured, tmp_path: Path) -> None:
    costs = costs_of(tmp_path)
    costs.measure([student()], latency=False)
    costs.measure([student()], latency=True)
    costs.measure([student()], latency=True)
    assert [request.units[0].latency for request in measured.requests] == [False, True]


@pytest.mark.parametrize(("spread", "warned"), [(10.0, False), (45.0, True)])
def test_a_latency_of_a_busy_machine_is_doubted_with_the_files_that_keep_it(
    spread: float, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def busy(unit: Any) -> CostAnswer:
        cost = cost_on_paper(unit)
        latency = cost.latency and cost.latency.model_copy(update={"median_ms": 90.0, "spread_ms": spread})
        return CostAnswer(key=unit.key, cost=cost.model_copy(update={"latency": latency}))

    measuring_on_paper(monkeypatch, tmp_path / "cache", busy)
    costs = costs_of(tmp_path)
    costs.measure([student()], latency=True)
    costs.keep([student()])
    kept = [*tmp_path.glob("**/costs/*.json")]
    assert len(kept) == 2
    assert ("uncertain" in caplog.text) is warned
    assert all((path.name in caplog.text) is warned for path in kept)


def test_the_stores_record_counts_and_keeps_its_first_latency(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = costs_of(tmp_path)
    costs.keep([student()])  # nothing is known: nothing to write
    assert not (tmp_path / "store").exists()
    costs.measure([student()], latency=False)
    costs.keep([student()])
    costs.measure([student()], latency=True)
    costs.keep([student()])
    [record] = (tmp_path / "store" / "costs").iterdir()
    written = record.read_text()
    assert "A CPU on paper" in written
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "elsewhere"))  # the store on another machine
    other = costs_of(tmp_path)
    other.measure([student()], latency=True)
    other.keep([student()])
    assert record.read_text() == written
    assert len(measured.requests) == 2


@pytest.mark.parametrize("text", ["", "{", '{"parameters": "many"}', '{"format": 9}'])
def test_a_damaged_record_counts_as_none(text: str, measured: Measured, tmp_path: Path) -> None:
    record = tmp_path / "store" / "costs" / f"{cost_key(student(), data())}.json"
    record.parent.mkdir(parents=True)
    record.write_text(text)
    costs = costs_of(tmp_path)
    assert costs.of(student()) is None
    costs.measure([student()], latency=True)
    costs.keep([student()])
    assert costs_of(tmp_path).of(student()) == costs.of(student())


def cost(parameters: int, latency_ms: float | None) -> DetectorCost:
    unit = unit_of("-", student(), data(), latency=latency_ms is not None)
    found = cost_on_paper(unit)
    latency = found.latency and found.latency.model_copy(update={"median_ms": latency_ms})
    return found.model_copy(update={"parameters": parameters, "latency": latency})


STORED, STORED_TIMED, HERE, HERE_TIMED = cost(1, None), cost(2, 20.0), cost(3, None), cost(4, 40.0)


@pytest.mark.parametrize(
    ("stored", "here", "counts"),
    [
        (None, None, None),
        (None, HERE, HERE),
        (None, HERE_TIMED, HERE_TIMED),
        (STORED, None, STORED),
        (STORED, HERE, STORED),
        (STORED, HERE_TIMED, HERE_TIMED),  # the store has no latency yet
        (STORED_TIMED, None, STORED_TIMED),
        (STORED_TIMED, HERE, STORED_TIMED),
        (STORED_TIMED, HERE_TIMED, STORED_TIMED),
    ],
    ids=lambda found: str(found and found.parameters),
)
def test_the_first_record_with_a_latency_counts_the_stores_before_this_machines(
    stored: DetectorCost | None,
    here: DetectorCost | None,
    counts: DetectorCost | None,
    measured: Measured,
    tmp_path: Path,
) -> None:
    costs = costs_of(tmp_path)
    for path, found in ((costs._record(student()), stored), (costs._memory(student()), here)):
        if found is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(found.model_dump_json())
    assert costs.of(student()) == counts


def test_a_crash_is_told_and_ends_no_other_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))

    def run(request: CostRequest, folder: Path) -> tuple[list[CostAnswer], ProcessEnd]:
        first = request.units[0]
        if first.detector.width == 1.0:
            return [], ProcessEnd(-11, "")
        return [CostAnswer(key=unit.key, cost=cost_on_paper(unit)) for unit in request.units], ProcessEnd(0, "")

    monkeypatch.setattr(costs_module, "_run", run)
    costs = costs_of(tmp_path)
    costs.measure([student(), student(0.5)], latency=False)
    assert costs.of(student()) is None
    assert costs.of(student(0.5)) is not None
    assert costs.problems == {student(): "measuring its costs ended the process that did so"}


def test_what_fails_in_part_is_used_and_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def partly(unit: Any) -> CostAnswer:
        return CostAnswer(
            key=unit.key, cost=cost_on_paper(unit).model_copy(update={"macs": None}), problem="no forward"
        )

    measured = measuring_on_paper(monkeypatch, tmp_path / "cache", partly)
    for _ in range(2):  # two processes
        costs = costs_of(tmp_path)
        costs.measure([student()], latency=False)
        costs.measure([student()], latency=True)  # it has failed in this one
        found = costs.of(student())
        assert found is not None
        assert (found.parameters, found.macs) == (10 * MILLION, None)
        assert costs.problems == {student(): "no forward"}
    assert len(measured.requests) == 2


def test_without_torch_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(model_process, "find_spec", lambda name: None)
    costs = costs_of(tmp_path)
    costs.measure([student()], latency=False)
    assert costs.problems == {student(): "cannot measure its costs: torch is not installed here"}
