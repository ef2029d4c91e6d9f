"""PASHA trains as the paper's rule says, and brings the best to their ends."""

import itertools
import os
import random
from pathlib import Path

import numpy as np
import pytest

from orchestrator.plan.journal import SearchLog
from orchestrator.search.pasha import PashaScheduler, levels
from orchestrator.search.scheduler import RememberingScheduler
from orchestrator.search.soft_ranking import Noise, crosses_twice, ranks_alike
from orchestrator.study.schema import Pasha
from tests.unit.orchestrator.search.simulated import METRIC, Simulation

Curves = dict[str, list[float]]


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


class PaperPasha:
    """Run Algorithm 1 of the paper (arXiv:2207.06940) slowly, with one worker, and everything computed anew each time.

    ``scores[theta][epoch - 1]`` is what training theta gives. The worker keeps a configuration that it may promote.
    """

    def __init__(self, scores: Curves, grace: int, eta: int, percentile: float) -> None:
        self.scores, self.eta, self.percentile = scores, eta, percentile
        self.resources = levels(grace, eta, len(next(iter(scores.values()))))
        self.rungs: list[dict[str, float]] = [{} for _ in self.resources]
        self.top = min(1, len(self.resources) - 1)
        self.promoted: set[tuple[str, int]] = set()
        self.new = list(scores)

    def run(self) -> None:
        last = None
        while (job := self.get_job(last)) is not None:
            theta, rung = last = job
            self.rungs[rung][theta] = self.scores[theta][self.resources[rung] - 1]
            if rung == self.top and self.top < len(self.resources) - 1 and self.top > 0 and not self.is_stable():
                self.top += 1

    def get_job(self, last: tuple[str, int] | None) -> tuple[str, int] | None:
        promotable = [
            (theta, k)
            for k in reversed(range(self.top))
            for theta in self.ranking(k)[: len(self.rungs[k]) // self.eta]
            if (theta, k) not in self.promoted
        ]
        if promotable:
            theta, k = last if last in promotable else promotable[0]
            self.promoted.add((theta, k))
            return theta, k + 1
        return (self.new.pop(0), 0) if self.new else None

    def ranking(self, k: int) -> list[str]:
        return sorted(self.rungs[k], key=lambda theta: self.rungs[k][theta], reverse=True)

    def is_stable(self) -> bool:
        members = self.rungs[self.top]
        below = [theta for theta in self.ranking(self.top - 1) if theta in members]
        scores, epsilon = self.rungs[self.top - 1], self.epsilon()
        soft = [{one for one in below if abs(scores[one] - scores[theta]) <= epsilon} for theta in below]
        return all(theta in soft[place] for place, theta in enumerate(self.ranking(self.top)))

    def epsilon(self) -> float:
        """Return the percentile of |f_r(a) - f_r(b)| over pairs for which r1 > r2 > r3 order a and b one way, the other way, and back."""
        epochs, distances = range(self.resources[self.top]), []
        for a, b in itertools.combinations(self.rungs[self.top], 2):
            f, g = self.scores[a], self.scores[b]
            found = itertools.combinations(epochs, 3)
            if any(
                (f[i] > g[i] and f[j] < g[j] and f[k] > g[k]) or (f[i] < g[i] and f[j] > g[j] and f[k] < g[k])
                for i, j, k in found
            ):
                distances.append(abs(f[epochs[-1]] - g[epochs[-1]]))
        return float(np.percentile(distances, self.percentile)) if distances else 0.0


def noisy(trials: int, epochs: int, seed: int, noise: float = 0.05) -> Curves:
    chance = random.Random(seed)
    tops = [chance.random() for _ in range(trials)]
    return {
        f"t{number}": [top * (1 - 0.6 ** (epoch + 1)) + chance.gauss(0, noise) for epoch in range(epochs)]
        for number, top in enumerate(tops)
    }


def simulate(scores: Curves, folder: Path, rule: Pasha, slots: int = 1) -> tuple[PashaScheduler, Simulation]:
    inner = PashaScheduler(rule, len(next(iter(scores.values()))), scores, time="epoch", metric=METRIC)
    found = Simulation(RememberingScheduler(inner, SearchLog(folder / "log"), METRIC), scores, {}, folder, slots)
    found.run()
    return inner, found


@pytest.mark.parametrize(
    ("trials", "epochs", "eta", "grace"), [(9, 12, 3, 1), (16, 9, 2, 1), (27, 27, 3, 2), (5, 4, 3, 1)]
)
def test_the_rungs_are_those_of_the_papers_algorithm(
    trials: int, epochs: int, eta: int, grace: int, tmp_path: Path
) -> None:
    tops = set()
    for seed in range(20):  # fewer need not raise the top rung
        scores = noisy(trials, epochs, seed, noise=(0.0, 0.02, 0.1)[seed % 3])
        paper = PaperPasha(scores, grace, eta, 90.0)
        paper.run()
        rule = Pasha(kind="pasha", reduction_factor=eta, grace_epochs=grace)
        ours, run = simulate(scores, tmp_path / str(seed), rule)
        assert ours.top == paper.top
        tops.add(ours.top)
        for mine, theirs in zip(ours._rungs, paper.rungs, strict=True):
            expected = theirs if mine is not ours._rungs[-1] else mine
            assert {name: mine[name] for name in mine if run.stopped[name] < epochs} == {
                name: expected[name] for name in expected if run.stopped[name] < epochs
            }
        highest = next(rung for rung in reversed(paper.rungs[: paper.top + 1]) if rung)
        assert run.stopped[max(highest, key=lambda name: highest[name])] == epochs
    assert len(tops) > 1 or epochs < 9


def test_without_noise_the_order_of_two_rungs_is_enough(tmp_path: Path) -> None:
    scores = {f"t{number}": [0.1 * number + 0.01 * epoch for epoch in range(27)] for number in range(9)}
    ours, run = simulate(scores, tmp_path, Pasha(kind="pasha"))
    assert ours.top == 1
    assert run.stopped["t8"] == 27
    assert set(run.stopped.values()) == {1, 3, 27}


def test_trials_that_cross_all_the_time_end_together(tmp_path: Path) -> None:
    scores = {name: [0.5 + 0.01 * (-1) ** (epoch + sign) for epoch in range(9)] for sign, name in enumerate(("a", "b"))}
    scores |= {f"weak{number}": [0.1] * 9 for number in range(14)}
    _, run = simulate(scores, tmp_path, Pasha(kind="pasha", reduction_factor=2))
    assert {name for name, epochs in run.stopped.items() if epochs == 9} == {"a", "b"}


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_every_trial_ends_for_any_number_of_slots(slots: int, tmp_path: Path) -> None:
    for seed in range(6):
        _, run = simulate(noisy(13, 12, seed), tmp_path / str(seed), Pasha(kind="pasha"), slots)
        assert len(run.stopped) == 13
        assert max(run.stopped.values()) == 12


def test_curves_that_touch_do_not_cross() -> None:
    assert crosses_twice({1: 0.1, 2: 0.3, 3: 0.1}, {1: 0.2, 2: 0.2, 3: 0.2})
    assert not crosses_twice({1: 0.1, 2: 0.2, 3: 0.1}, {1: 0.2, 2: 0.2, 3: 0.2})
    assert not crosses_twice({1: 0.1, 2: 0.3}, {1: 0.2, 2: 0.2, 3: 0.2})


def test_epsilon_is_a_percentile_of_distances_between_curves_that_cross_twice() -> None:
    noise = Noise(100.0)
    assert noise.epsilon == 0.0
    for curve in ({1: 0.1, 2: 0.3, 3: 0.1}, {1: 0.2, 2: 0.2, 3: 0.2}, {1: 0.9, 2: 0.9, 3: 0.9}):
        noise.add(curve)
    assert noise.epsilon == pytest.approx(0.1)


def test_a_place_may_be_taken_by_any_trial_within_epsilon() -> None:
    below = {"a": 0.5, "b": 0.4, "c": 0.1, "gone": 0.0}
    assert ranks_alike({"a": 0.8, "b": 0.7, "c": 0.2}, below, 0.0)
    assert not ranks_alike({"a": 0.7, "b": 0.8, "c": 0.2}, below, 0.05)
    assert ranks_alike({"a": 0.7, "b": 0.8, "c": 0.2}, below, 0.11)
