"""Run one trial inside Ray Tune: the same records, whether this process trains or a host of the sweep's pool does."""

import contextlib
import json
import time
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from ray import tune

from orchestrator.core.redact import redacted
from orchestrator.failures.kinds import root_cause
from orchestrator.failures.retry import RetryDecision, judge, micro_batch_of
from orchestrator.worker_groups.broker import ON_HEAD
from orchestrator.worker_groups.entry_points import LOOP, WORKER
from orchestrator.worker_groups.records import record_stream
from trainers.schema import Job
from trainers.schema.atomic import write_text
from trainers.schema.fence import FencedOff, is_fenced_off, set_fence
from trainers.schema.record import ERROR, RECORDED_AT, Outcome, Record, read_outcome, write_outcome
from trainers.schema.request import Request, asks_to_leave, carry_out, read_request
from trainers.schema.stop import MachineLeaves, clear_move, must_move, run_is_ending

FAILED_BECAUSE = "failed_because"
# What a runner reserves when a host trains: no CPU at all, for even a hundredth of one would be missing for the last
# worker. Every Ray cluster has this resource, once, on its head node, which nobody preempts.
RUNNER_SHARE = ON_HEAD


class TrialRunner(tune.Trainable):
    """Report one record per ``step``; a trial that its directory knows is replayed first, then continued.

    Tune may stop a trial after any record (reported results are on disk), restart it after a crash (it continues from
    its directory), and reuse the actor for the next trial (the imports are paid once).
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Take up the trial in ``config["planned"]["job"]`` (JSON); nothing heavy happens before the first step."""
        job = Job.model_validate_json(config["planned"]["job"])
        set_fence(job.directory, job.fence)
        placement = job.placement.model_copy(update={"micro_batch": micro_batch_of(job)})
        self._job = job.model_copy(update={"placement": placement})
        self._run = str(config["planned"].get("run", ""))
        self._broker = str(config["planned"].get("broker", ""))
        self._position = int(config["planned"].get("position", 0))
        self._records: Iterator[Record] | None = None
        self._began = time.time()

    def step(self) -> dict[str, Any]:
        """Train up to the next record and return it; a failure ends the trial, or makes Tune restart it.

        A trial that was asked to stop ends unfinished: its state is on disk.
        """
        # Tune reuses this actor, so a stop request may have arrived between two trials.
        if self._is_over():
            return self._ended()
        try:
            record = self._next()
        except StopIteration:
            return self._ended()
        except Exception as error:
            if is_fenced_off(self._job.directory):  # another job trains it: nothing here is a failure of the trial
                return ended()
            verdict = judge(self._job, error, self._run, self._began)
            if verdict.again:  # raising makes Tune restart the trial in a new actor
                time.sleep(verdict.pause_s)
                raise
            return self._failed(error, verdict)
        return {"epoch": record.epoch, RECORDED_AT: record.wall_time, **record.metrics, "done": record.final}

    def _is_over(self) -> bool:
        """Return whether there is nothing to do: between two records the trial's state is on disk."""
        if is_fenced_off(self._job.directory):
            return True
        outcome = read_outcome(self._job.directory)
        # The host that trains the trial leaves it after its step; a reader that went first could come back too early.
        hosted = self._broker and self._records is not None
        leaves = run_is_ending(self._job.directory) or (not hosted and asks_to_leave(self._job.directory))
        return leaves or (outcome is not None and outcome.status != "finished")

    def _ended(self) -> dict[str, Any]:
        """Return the last result; a trial that its user stopped gets its outcome before search and scheduler hear of it."""
        with contextlib.suppress(FencedOff):  # then the job that has the trial finds the request
            if read_request(self._job.directory) is Request.STOP:
                carry_out(self._job.directory)
        return ended()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Give Tune a pointer: the trial's state is in its own directory already. Tune asks before a pause, and only then.

        A paused trial leaves its host at once: Tune may keep its actor for later, and the host would wait for it.
        """
        self.cleanup()
        (Path(checkpoint_dir) / "pointer.json").write_text(json.dumps({"directory": self._job.directory}))

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Do nothing: the trial continues from its own directory."""

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up another trial in this actor."""
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """Stop training here, or leave the host that trains the trial."""
        records, self._records = self._records, None
        if records is not None:
            records.close()  # type: ignore[attr-defined]  # both sources are generators

    def _next(self) -> Record:
        if self._records is None:
            self._records = self.source(self._job)
        return next(self._records)

    def source(self, job: Job) -> Iterator[Record]:
        """Return where the job's records come from; tests replay scripted ones."""
        clear_move(job.directory)
        if self._broker:
            return record_stream(job, self._broker, self._position)
        return trained_here(job)

    def _failed(self, error: Exception, verdict: RetryDecision) -> dict[str, Any]:
        directory = Path(self._job.directory)
        directory.mkdir(parents=True, exist_ok=True)
        report = redacted("".join(traceback.format_exception(root_cause(error))))
        with contextlib.suppress(OSError, FencedOff):  # on a full disk; the driver hears the reason as well
            write_text(directory / ERROR, report)
            write_outcome(directory, Outcome("failed", verdict.reason))
        return ended(verdict.reason)


def trained_here(job: Job) -> Iterator[Record]:
    """Train the job in this process and yield its records; raise ``preempted`` when its machine will be taken away."""
    with import_module(WORKER).notice([job.directory]):
        for _, record in import_module(LOOP).train([job]):
            yield record
    if must_move(job.directory):
        raise MachineLeaves("the machine is about to be taken away")


def ended(reason: str = "") -> dict[str, Any]:
    """Return the last result for Tune of a trial that reports no more, with the reason if it failed."""
    return {"epoch": 0, "done": True, FAILED_BECAUSE: reason}
