"""Run one study on a cluster that comes and goes: up, submit, follow, fetch, down."""

import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.clusters.cost import said
from orchestrator.clusters.description import Cluster
from orchestrator.clusters.files import launcher_of, token_of
from orchestrator.clusters.launcher import Launcher
from orchestrator.clusters.lifetime import cluster_for_a_while
from orchestrator.clusters.ray_file import SAFE
from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.store import Store
from orchestrator.submit.connect import connect
from orchestrator.submit.job_request import JobRequest
from orchestrator.submit.logs import followed, shown
from orchestrator.submit.states import SubmissionState
from orchestrator.submit.submissions import Submission, Submissions

REACH_S = 120.0  # until the dashboard of a cluster that is up must answer
STOP_S = 90.0  # that trials get to save their states after Ctrl-C
LOOK_S = 1.0
ON_THE_HEAD = {SAFE: 0.001}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClusterSession:
    """Hold a job and its cluster: ``job_request`` on ``cluster``, results into ``store``."""

    cluster: Cluster
    job_request: JobRequest
    store: Store
    keep: bool = False
    connect: Callable[[str, str], Submissions] = connect
    reach_s: float = REACH_S
    look_s: float = LOOK_S

    def run(self, launcher: Launcher | None = None) -> Submission:
        """Carry it out and return how the submission ended; raise ``UserError``, ``OperationError``, ``KeyboardInterrupt``.

        In every case it fetches the trials' results and stops the cluster, unless the cluster is to be kept.
        """
        log.info("%s", said(self.cluster))
        launcher = launcher or launcher_of(self.cluster, self.store)
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = token_of(self.cluster, self.store)
        with cluster_for_a_while(launcher, self.cluster.name, keep=self.keep):
            port = free_port()
            with launcher.tunnel(port):
                submissions = self.connect(f"http://127.0.0.1:{port}", self.job_request.store)
                found = self._begin(submissions)
                try:
                    end = self._follow(submissions, found)
                except BaseException:
                    self._stop(submissions, found)
                    raise
                finally:
                    self._fetch(launcher)
        return end

    def _begin(self, submissions: Submissions) -> Submission:
        """Submit as soon as the cluster answers, or continue the earlier submission."""
        deadline = time.monotonic() + self.reach_s
        while True:
            try:
                try:
                    return submissions.submit(self.job_request).submission
                except UserError:  # it has ended there before; whatever else is wrong is said again
                    return submissions.resume(self.job_request).submission
            except OperationError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(self.look_s)

    def _follow(self, submissions: Submissions, found: Submission) -> Submission:
        for text in followed(submissions, found.id):
            sys.stderr.write(shown(text))
            sys.stderr.flush()
        end = submissions.status(found.id)
        log.info("%s: %s (%s)", end.id, end.state, end.reason)
        return end

    def _stop(self, submissions: Submissions, found: Submission) -> None:
        """Let trials save their states before their machines go; a kept cluster goes on training."""
        if self.keep:
            return
        deadline = time.monotonic() + STOP_S
        try:
            if submissions.status(found.id).state.is_over:
                return
            log.info("stopping after the current step; trials save their states")
            submissions.stop(found.id)
            while not submissions.status(found.id).state.is_over and time.monotonic() < deadline:
                time.sleep(self.look_s)
        except (OperationError, UserError) as error:
            log.warning("could not stop the submission cleanly: %s", error)

    def _fetch(self, launcher: Launcher) -> None:
        """Copy the trials' directories here; one that fails to come is no reason to leave machines running."""
        try:
            launcher.fetch(f"{self.cluster.store}/trials", self.store.root / "trials")
            log.info("results are in %s", self.store.root)
        except OperationError as error:
            log.warning("could not fetch results; they stay in %s of the cluster: %s", self.cluster.store, error)


def free_port() -> int:
    """Return a port of this machine that no server listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def exit_code(end: Submission) -> int:
    """Return the exit code of ``run`` for how a submission ended."""
    return {SubmissionState.FINISHED: 0, SubmissionState.STOPPED: 130}.get(end.state, 1)
