"""Say which GPU a reproduction needs: from forecasts that were made once, for two images on each of eight GPUs."""

from dataclasses import dataclass
from functools import cache

from orchestrator.reproduce.plan import RunPlan
from orchestrator.reproduce.runs import PaperJob
from orchestrator.reproduce.tables import read_yaml
from trainers.schema.memory import GIB, OUTSIDE, SPARE

SIZES = (8, 11, 16, 24, 32, 40, 48, 80)  # GiB of the GPUs that there are
SHOWN = 24  # GiB of the GPU for which students side by side are counted


@dataclass(frozen=True)
class RowMemory:
    """Hold the forecast of a row's student: GiB for one with its teacher, and for each ``further`` one beside it."""

    name: str
    images: int
    one: float
    further: float

    @property
    def gpu(self) -> int:
        """Return the size of the smallest GPU that is large enough, in GiB."""
        return next((size for size in SIZES if self.students_in(size)), SIZES[-1])

    def students_in(self, size: int) -> int:
        """Return how many students fit side by side into a GPU of ``size`` GiB."""
        room = (size - OUTSIDE / GIB) / (1 + SPARE) - self.one
        return 0 if room < 0 else 1 + int(room / self.further)


def row_memories(run_plan: RunPlan) -> list[RowMemory]:
    """Return the forecasts of the studies of a plan at full length, on as many GPUs as they were made for."""
    if run_plan.options.fidelity == "smoke":
        return []
    known = forecasts()
    found = [(job, known.get(job.name)) for job in run_plan.order]
    return [one for job, one in found if one is not None and _images(job) == one.images]


def memory_lines(run_plan: RunPlan) -> list[str]:
    """Return a line on the memory of the largest row, and on students side by side."""
    rows = row_memories(run_plan)
    if not rows:
        return []
    largest = max(rows, key=lambda row: row.one)
    fit = min(row.students_in(SHOWN) for row in rows)
    return [
        (
            f"memory of a GPU, forecast: at most {largest.one:.1f} GiB ({largest.name}), so {largest.gpu} GiB do; in {SHOWN} GiB "
            f"{fit} students or more fit side by side"
        )
    ]


@cache
def forecasts() -> dict[str, RowMemory]:
    """Return all forecasts by study."""
    return {name: RowMemory(name, **found) for name, found in read_yaml("memory.yaml").items()}


def _images(job: PaperJob) -> int:
    return -(-job.plan.study.schedule.batch_size // job.plan.resources.workers)
