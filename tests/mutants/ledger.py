"""Keep outcomes in a file, a line each, so that a run goes on where it stopped; and the judgements in another."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

JUDGED = Path(__file__).with_name("judged.txt")
EQUIVALENT, ACCEPTED = "equivalent", "accepted"


@dataclass(frozen=True)
class Outcome:
    """Hold what became of one fault: ``killed`` (and by which test), ``slow``, ``survived`` or ``unseen`` by any test."""

    id: str
    area: str
    where: str
    kind: str
    change: str
    outcome: str
    by: str | None
    seconds: float

    @property
    def is_killed(self) -> bool:
        """Tell whether a test failed, or ran into its time limit."""
        return self.outcome in ("killed", "slow")


class Ledger:
    """Hold the outcomes of one sample; of two lines with one id the later one counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outcomes: dict[str, Outcome] = {}
        self.read()

    def read(self) -> None:
        """Take the outcomes from the file: another process may have added some."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        self.outcomes = {one.id: one for one in (Outcome(**json.loads(line)) for line in lines)}

    def add(self, outcome: Outcome) -> None:
        """Append an outcome."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")
        self.outcomes[outcome.id] = outcome


def judgements(path: Path = JUDGED) -> dict[str, tuple[str, str]]:
    """Return the verdict and the reason of each fault that was judged by hand; lines are ``id verdict place: reason``."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        if line.strip() and not line.startswith("#"):
            name, verdict, reason = line.split(maxsplit=2)
            if verdict not in (EQUIVALENT, ACCEPTED):
                raise ValueError(f"{path.name}: {name}: the verdict is {EQUIVALENT} or {ACCEPTED}, got {verdict}")
            found[name] = (verdict, reason)
    return found


def table(outcomes: Iterable[Outcome], judged: dict[str, tuple[str, str]]) -> str:
    """Return a Markdown table of the areas: faults, equivalent ones, killed ones, and the share of the rest that was killed."""
    by_area: dict[str, list[Outcome]] = {}
    for one in outcomes:
        by_area.setdefault(one.area, []).append(one)
    everything = [one for area in by_area.values() for one in area]
    rows = [_row(area, by_area[area], judged) for area in sorted(by_area)]
    head = "| area | faults | equivalent | killed | share |\n|---|---|---|---|---|"
    return "\n".join([head, *rows, _row("**all**", everything, judged)])


def _row(name: str, outcomes: list[Outcome], judged: dict[str, tuple[str, str]]) -> str:
    same = sum(not one.is_killed and judged.get(one.id, ("",))[0] == EQUIVALENT for one in outcomes)
    killed = sum(one.is_killed for one in outcomes)
    rest = len(outcomes) - same
    return (
        f"| {name} | {len(outcomes)} | {same} | {killed} | {killed / rest:.0%} |"
        if rest
        else f"| {name} | 0 | 0 | 0 | - |"
    )
