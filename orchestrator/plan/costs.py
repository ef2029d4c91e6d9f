"""Know the costs of detectors: from the store, from earlier measurements of this machine, or by measuring them now.

One form of a detector has one number in a store, whichever trials train it: seeds, losses and weights change no layer.
"""

import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path

from orchestrator.core.store import Store
from orchestrator.plan.model_process import ProcessEnd, answers_of, lacking_package
from orchestrator.plan.trial import ID_LENGTH
from orchestrator.plan.weights import config_digest
from orchestrator.study.fingerprint import fingerprint
from orchestrator.study.wording import counted
from trainers.schema import DatasetSpec, Detector
from trainers.schema.atomic import write_text
from trainers.schema.costs import CostAnswer, CostRequest, CostUnit, DetectorCost, Latency, unit_of
from trainers.schema.cpu import cpu_name
from trainers.schema.image_pipeline import COCO_DETECTIONS
from trainers.schema.remote import cache_dir

FORMAT = 1  # raise it when the same detector is measured in another way
MEASURE = "trainers.costs.measure"
FORWARD_S, LATENCY_S = 60.0, 600.0  # for one detector on a slow machine; latency takes six forwards or more
UNSTEADY = 0.25  # of the median: a quartile distance above it tells that other work slowed the measurement
log = logging.getLogger(__name__)


class Costs:
    """Look up and measure the costs of detectors on one dataset. Reading writes nothing, and needs no torch."""

    def __init__(self, store: Store, dataset: DatasetSpec) -> None:
        self._store, self._dataset = store, dataset
        self._keys: dict[Detector, str] = {}
        self._known: dict[Detector, DetectorCost] = {}
        self._looked_up: set[Detector] = set()  # since something was measured or kept last
        self.problems: dict[Detector, str] = {}  # why a cost, or a part of it, is not known

    def of(self, detector: Detector) -> DetectorCost | None:
        """Return the cost of a detector as far as it is known; ``None`` where nobody has measured it.

        The store's record counts. Its latency is the one that was measured first, on whichever machine.
        """
        known = self._known.get(detector)
        if (known is None or known.latency is None) and detector not in self._looked_up:
            self._looked_up.add(detector)
            known = self._read(detector) or known
            if known is not None:
                self._known[detector] = known
        return known

    def measure(self, detectors: Iterable[Detector], *, latency: bool) -> None:
        """Measure the costs that are not known yet, all in one process, and remember them on this machine.

        ``problems`` tells afterwards why some are still not known.
        """
        self._looked_up.clear()
        lacking = [one for one in dict.fromkeys(detectors) if not self._is_known(one, latency) and self._may_try(one)]
        if not lacking:
            return
        if package := lacking_package():
            self.problems |= dict.fromkeys(lacking, f"cannot measure its costs: {package} is not installed here")
            return
        latencies = ": latency takes some seconds of each" if latency else ""
        log.info("measuring the costs of %s%s", counted(len(lacking), "detector"), latencies)
        units = {self._key(one): self._unit(one, latency=latency) for one in lacking}
        found = {answer.key: answer for answer in _measured(tuple(units.values()))}
        for one in lacking:
            self._take(one, found.get(self._key(one)), latency=latency)

    def keep(self, detectors: Iterable[Detector]) -> None:
        """Write the costs that the store lacks into it; raise ``OSError`` when it cannot be written."""
        self._looked_up.clear()
        for one in dict.fromkeys(detectors):
            path, cost = self._record(one), self.of(one)
            stored = _cost_in(path)
            if cost is not None and (stored is None or (stored.latency is None and cost.latency is not None)):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_text(path, cost.model_dump_json(indent=1) + "\n")

    def _read(self, detector: Detector) -> DetectorCost | None:
        stored = _cost_in(self._record(detector))
        if stored is not None and stored.latency is not None:
            return stored
        here = _cost_in(self._memory(detector))
        return here if stored is None or (here is not None and here.latency is not None) else stored

    def _is_known(self, detector: Detector, latency: bool) -> bool:
        known = self.of(detector)
        return known is not None and (known.latency is not None or not latency)

    def _may_try(self, detector: Detector) -> bool:
        """Return whether a detector has not failed in this process before, and its config is here."""
        return detector not in self.problems and ("::" in detector.config or Path(detector.config).is_file())

    def _take(self, detector: Detector, answer: CostAnswer | None, *, latency: bool) -> None:
        if answer is None or answer.problem:
            self.problems[detector] = answer.problem if answer else "measuring its costs ended the process that did so"
        if answer is None or answer.cost is None:
            return
        self._known[detector] = answer.cost
        self._doubt(detector, answer.cost.latency)
        if not answer.problem:
            _remember(self._memory(detector), answer.cost)

    def _doubt(self, detector: Detector, latency: Latency | None) -> None:
        """Warn of a latency that a busy machine has disturbed: it would be kept, and believed, for good."""
        if latency is not None and latency.spread_ms > UNSTEADY * latency.median_ms:
            log.warning(
                "a latency is uncertain: the middle half of its times spans %.3g ms around %.3g ms, so the machine was busy; delete "
                "%s, and %s in the store, to measure it again",
                latency.spread_ms, latency.median_ms, self._memory(detector), self._record(detector).name,
            )  # fmt: skip

    def _unit(self, detector: Detector, *, latency: bool) -> CostUnit:
        return unit_of(self._key(detector), detector, self._dataset, latency=latency)

    def _record(self, detector: Detector) -> Path:
        return self._store.costs / f"{self._key(detector)}.json"

    def _memory(self, detector: Detector) -> Path:
        return cache_dir().parent / "costs" / f"{self._key(detector)}-{fingerprint(cpu_name())[:8]}.json"

    def _key(self, detector: Detector) -> str:
        if detector not in self._keys:
            self._keys[detector] = cost_key(detector, self._dataset)
        return self._keys[detector]


def cost_key(detector: Detector, dataset: DatasetSpec) -> str:
    """Return the name of a cost: a hash of the detector's layers, the number of classes and the test size."""
    unit = unit_of("-", detector, dataset)
    layers = {key: value for key, value in unit.detector.settings().items() if key not in ("config", "weights")}
    more = [unit.max_detections] if unit.max_detections != COCO_DETECTIONS else []
    return fingerprint([FORMAT, config_digest(detector), layers, unit.classes, unit.size, *more])[:ID_LENGTH]


def _measured(units: tuple[CostUnit, ...]) -> Iterable[CostAnswer]:
    """Yield the answers to units; after one that ended the process go on with the next in a new one."""
    while units:
        with tempfile.TemporaryDirectory(prefix="stillhouse-costs-") as folder:
            answers, end = _run(CostRequest(units=units), Path(folder))
        yield from answers
        units = units[len(answers) :]
        if units:
            yield CostAnswer(key=units[0].key, problem=_why(end))
            units = units[1:] if end.is_crash else ()


def _run(request: CostRequest, folder: Path) -> tuple[list[CostAnswer], ProcessEnd]:
    work_s = sum(LATENCY_S if unit.latency else FORWARD_S for unit in request.units)
    lines, end = answers_of(MEASURE, request, work_s, folder)
    return [CostAnswer.model_validate_json(line) for line in lines], end


def _why(end: ProcessEnd) -> str:
    if end.code is None:
        return "measuring its costs takes too long"
    return (
        "measuring its costs ended the process that did so" if end.is_crash else f"cannot measure its costs: {end.said}"
    )


def _cost_in(path: Path) -> DetectorCost | None:
    """Return the cost in a file; ``None`` where there is none, or another release wrote it."""
    try:
        return DetectorCost.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _remember(path: Path, cost: DetectorCost) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, cost.model_dump_json(indent=1) + "\n")
    except OSError:
        return  # a cache that we only read: the detector is measured again the next time
