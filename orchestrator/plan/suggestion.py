"""Describe one point that a search has come to, and make trials of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import JsonValue, ValidationError

from orchestrator.plan.trial import PlannedTrial

At = Callable[[dict[str, JsonValue], int, tuple[int, int] | None, str | None], PlannedTrial]
ASK, TELL, PRIOR = "ask", "tell", "prior"  # kinds of events


@dataclass(frozen=True)
class Suggestion:
    """Hold one point of a search, by its number in the order of asking.

    Of a population it is a segment of a training: after ``from_epoch``, up to ``until_epoch``, from the state of the
    suggestion ``origin`` if there is one. ``excess`` is by which share the student is over each constraint, as far as
    there are any. ``by`` names the way of sampling where an algorithm has had several, so that a search goes on with the one
    that it began with.
    """

    number: int
    params: dict[str, JsonValue]
    until_epoch: int | None = None
    origin: int | None = None
    from_epoch: int = 0
    excess: tuple[float, ...] = ()
    by: str = ""

    @property
    def is_left_out(self) -> bool:
        """Return whether the point is not trained, because its student is over a constraint."""
        return any(value > 0.0 for value in self.excess)

    def event(self) -> dict[str, Any]:
        """Return the log entry."""
        content = {key: value for key, value in asdict(self).items() if value or key not in ("excess", "by")}
        return {"event": ASK, **content}


def suggestion_of(event: dict[str, Any]) -> Suggestion:
    """Return the suggestion of a logged event."""
    content = {key: value for key, value in event.items() if key != "event"}
    return Suggestion(**content | {"excess": tuple(content.get("excess", ()))})


def trials_of(
    suggestion: Suggestion, at: At, seeds: Sequence[int], earlier: dict[int, str]
) -> tuple[PlannedTrial, ...]:
    """Return the trials at a point, one for each seed; none where its values do not fit together, or cost too much.

    ``earlier`` gives the trial ids of earlier suggestions by number.
    """
    if suggestion.is_left_out:
        return ()
    origin = None if suggestion.origin is None else earlier[suggestion.origin]
    epochs = (suggestion.from_epoch, suggestion.until_epoch) if suggestion.until_epoch else None
    try:
        return tuple(at(suggestion.params, seed, epochs, origin) for seed in seeds)
    except ValidationError:
        return ()


def suggestions_in(
    events: Iterable[dict[str, Any]], at: At, seeds: Sequence[int]
) -> Iterator[tuple[Suggestion, tuple[PlannedTrial, ...]]]:
    """Yield the suggestions of a search so far, in order."""
    earlier: dict[int, str] = {}
    for event in events:
        if event["event"] == ASK:
            suggestion = suggestion_of(event)
            trials = trials_of(suggestion, at, seeds, earlier)
            if trials:
                earlier[suggestion.number] = trials[0].id
            yield suggestion, trials
