"""Find the state of another trial that a trial may start from, on all workers."""

from pathlib import Path

from mmengine.dist import broadcast_object_list, get_rank

from trainers.errors import TrialError
from trainers.schema import Job
from trainers.state.event_log import note
from trainers.state.prefix import PrefixState, read_prefix

NOT_SHARED = "state not shared"  # the event of a trial that lacks the state of another which it could have started from


def found_prefix(job: Job) -> PrefixState | None:
    """Return the state that the job's trial may start from; ``None`` where there is none, or it cannot be used.

    Rank 0 decides, and notes why; all workers call it.
    """
    if job.prefix is None:
        return None
    found, lost = None, [""]
    if get_rank() == 0:
        try:
            found = read_prefix(job.prefix)
        except TrialError as error:
            lost[0] = str(error)
            note(Path(job.directory), NOT_SHARED, "train from the beginning", lost[0])
    broadcast_object_list(lost, src=0)
    return None if lost[0] else found or read_prefix(job.prefix)
