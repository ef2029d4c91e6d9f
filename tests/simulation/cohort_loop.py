"""Stand for ``trainers.loop.loop`` in hosts: students of a cohort are trained in lockstep, on paper."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack

from tests.simulation.kernel import active
from tests.simulation.training import STEPS, Paper
from trainers.loop.loop import Failed, Found, Stopped
from trainers.schema import Job
from trainers.schema.fence import set_fence
from trainers.schema.record import read_history, read_status
from trainers.schema.stop import stop_requested

__all__ = ["Failed", "Stopped", "train_together"]


def train_together(
    jobs: Sequence[Job], active_trials: Callable[[Sequence[str]], Collection[str]]
) -> Iterator[tuple[str, Found]]:
    """Train as the real loop does: records first, then the question who goes on, then the next epoch."""
    for job in jobs:
        set_fence(job.directory, job.fence)
    for job in [job for job in jobs if read_status(job.directory) == "finished"]:
        yield from ((job.trial_id, record) for record in read_history(job.directory))
    with ExitStack() as stack:
        papers = []
        for job in [job for job in jobs if read_status(job.directory) != "finished"]:
            stack.enter_context(active().board.at_work(job.directory))
            papers.append(Paper(job))
            yield from ((job.trial_id, record) for record in papers[-1].history)
        yield from _steps(papers, active_trials)


def _steps(
    papers: list[Paper], active_trials: Callable[[Sequence[str]], Collection[str]]
) -> Iterator[tuple[str, Found]]:
    papers = _who_stay(papers, active_trials)
    step = min((paper.step for paper in papers), default=0)
    while papers:
        for paper in [paper for paper in papers if stop_requested(paper.job.directory)]:
            paper.save()
            papers.remove(paper)
            yield paper.job.trial_id, Stopped()
        at_step = [paper for paper in papers if paper.step == step]
        for paper in at_step:
            paper.train()
        step += 1
        ended = [paper for paper in at_step if paper.step % STEPS == 0]
        for paper in ended:
            yield paper.job.trial_id, paper.close_epoch()
        if ended:
            papers = _who_stay(papers, active_trials)


def _who_stay(papers: list[Paper], active_trials: Callable[[Sequence[str]], Collection[str]]) -> list[Paper]:
    left = [paper for paper in papers if not paper.is_at_end]
    if not left:
        return []
    stay = active_trials([paper.job.trial_id for paper in left])
    return [paper for paper in left if paper.job.trial_id in stay]
