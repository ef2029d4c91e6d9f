"""Drive a scheduler as Ray Tune does, without Ray: trials with scripted scores, a process that can be killed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

METRIC = "coco/bbox_mAP"


class Killed(Exception):
    """Stand for the death of the whole process."""


class LiveTrial:
    """Stand for one of Tune's trials: repeats what its directory has, then goes on."""

    def __init__(self, name: str, directory: Path) -> None:
        self.trial_id, self.status, self.is_saving = f"tune-{name}", "PENDING", False
        self.config = {"planned": {"id": name, "directory": str(directory)}}
        self.name, self.position = name, 0
        self.last_result: dict[str, Any] = {}


class Simulation:
    """Run trials on ``slots`` slots; ``on_disk`` is what survives a kill: how many epochs each trial has recorded."""

    def __init__(
        self,
        scheduler: Any,
        scores: Mapping[str, Sequence[float]],
        on_disk: dict[str, int],
        folder: Path,
        slots: int,
        metric: str = METRIC,
    ) -> None:
        self._scheduler, self._scores, self.on_disk, self._slots = scheduler, scores, on_disk, slots
        self._metric = metric
        self.stopped: dict[str, int] = {}
        self.trials = [LiveTrial(name, folder / name) for name in scores]
        self._nested = 0

    def get_trials(self) -> list[LiveTrial]:
        return self.trials

    def run(self, kill_at: int | None = None, after: Callable[[int], None] = lambda count: None) -> None:
        """Run to the end, or die in the place of the new result number ``kill_at``: it is on disk, nobody has heard."""
        self._new = 0
        for trial in self.trials:
            self._scheduler.on_trial_add(self, trial)
        while any(trial.status not in ("TERMINATED",) for trial in self.trials):
            running = [trial for trial in self.trials if trial.status == "RUNNING"]
            while len(running) < self._slots and (chosen := self._scheduler.choose_trial_to_run(self)) is not None:
                chosen.status, chosen.position = "RUNNING", 0
                running.append(chosen)
            assert running, [(trial.name, trial.status) for trial in self.trials]
            for trial in running:
                if trial.status == "RUNNING":
                    self._report(trial, kill_at)

    def _report(self, trial: LiveTrial, kill_at: int | None) -> None:
        trial.position += 1
        epoch, scores = trial.position, self._scores[trial.name]
        if epoch > self.on_disk.get(trial.name, 0):
            self.on_disk[trial.name] = epoch
            self._new += 1
            if self._new == kill_at:
                raise Killed
        done = epoch == len(scores)
        trial.last_result = {"epoch": epoch, self._metric: scores[epoch - 1], "done": done}
        decision = "STOP" if done else self._scheduler.on_trial_result(self, trial, trial.last_result)
        if decision == "STOP":
            self.stop_trial(trial)
        elif decision == "PAUSE":
            trial.status = "PAUSED"

    def stop_trial(self, trial: LiveTrial) -> None:
        if trial.status == "RUNNING":
            self._scheduler.on_trial_complete(self, trial, trial.last_result)
        else:
            self._scheduler.on_trial_remove(self, trial)
        trial.status = "TERMINATED"
        self.stopped[trial.name] = self.on_disk[trial.name]
