"""List the modules of our packages, for rules that hold in all of them."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def modules() -> Iterator[str]:
    """Yield the paths of all modules, from the root of the checkout."""
    for package in ("orchestrator", "trainers", "dashboards"):
        yield from (path.relative_to(ROOT).as_posix() for path in sorted((ROOT / package).rglob("*.py")))
