"""Hold why the queue does not move: the loop writes it, answers show it."""

from dataclasses import dataclass, replace

from orchestrator.submit.submissions import Submission


@dataclass
class Obstacle:
    """Hold a sentence about the last step of the queue, empty where nothing kept it; any thread may read it."""

    reason: str = ""

    def shown_in(self, submission: Submission) -> Submission:
        """Return a submission whose reason also says what keeps it, unless it has ended."""
        if not self.reason or submission.state.is_over:
            return submission
        return replace(submission, reason=f"{submission.reason}; it waits: {self.reason}")
