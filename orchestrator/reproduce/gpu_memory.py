"""Say which GPU a reproduction needs: from forecasts that were made once, for two numbers of images on each GPU."""

from dataclasses import dataclass, replace
from functools import cache

from orchestrator.reproduce.plan import RunPlan
from orchestrator.reproduce.runs import PaperJob
from orchestrator.reproduce.tables import read_yaml
from orchestrator.study.wording import counted
from trainers.schema.memory import GIB, OUTSIDE, SPARE

SIZES = (8, 11, 16, 24, 32, 40, 48, 80)  # GiB of the GPUs that there are
SHOWN = 24  # GiB of the GPU for which students side by side are counted


@dataclass(frozen=True)
class RowMemory:
    """Hold the forecast of a row's student: GiB for one with its teacher, and for each ``further`` one beside it.

    It is for so many ``images`` on each GPU; ``image`` and ``further_image`` are the GiB that one image more adds to both.
    """

    name: str
    images: int
    one: float
    further: float
    image: float
    further_image: float

    def at(self, images: int) -> "RowMemory":
        """Return the forecast for another number of images: maps, most of the memory, grow with it in proportion."""
        more = images - self.images
        one, further = self.one + more * self.image, self.further + more * self.further_image
        return replace(self, images=images, one=one, further=further)

    @property
    def gpu(self) -> int | None:
        """Return the size of the smallest GPU that is large enough, in GiB; ``None`` where no single one is."""
        return next((size for size in SIZES if self.students_in(size)), None)

    def students_in(self, size: int) -> int:
        """Return how many students fit side by side into a GPU of ``size`` GiB."""
        room = (size - OUTSIDE / GIB) / (1 + SPARE) - self.one
        return 0 if room < 0 else 1 + int(room / self.further)


def row_memory(run_plan: RunPlan, job: PaperJob) -> RowMemory | None:
    """Return the forecast of a study's student on as many GPUs as the plan has; none of two steps of drawn images."""
    known = None if run_plan.options.fidelity == "smoke" else forecasts().get(job.name)
    return known and known.at(-(-job.plan.study.schedule.batch_size // job.plan.resources.workers))


def row_memories(run_plan: RunPlan) -> list[RowMemory]:
    """Return the forecasts of a plan's studies."""
    return [found for job in run_plan.order if (found := row_memory(run_plan, job)) is not None]


def memory_lines(run_plan: RunPlan) -> list[str]:
    """Return a line on the memory of the largest row, on students side by side, and on rows without a forecast."""
    rows = row_memories(run_plan)
    if run_plan.options.fidelity == "smoke":
        return []
    if not rows:
        return ["memory of a GPU: no forecast for these studies"]
    largest = max(rows, key=lambda row: row.one)
    does = f"so {largest.gpu} GiB do" if largest.gpu else f"more than {SIZES[-1]} GiB have room for: train on more GPUs"
    fit = min(row.students_in(SHOWN) for row in rows)
    beside = f"; in {SHOWN} GiB {fit} students or more fit side by side" if fit else ""
    lacking = len(run_plan.order) - len(rows)
    rest = f"; {counted(lacking, 'more study has', 'more studies have')} no forecast" if lacking else ""
    return [f"memory of a GPU, forecast: at most {largest.one:.1f} GiB ({largest.name}), {does}{beside}{rest}"]


@cache
def forecasts() -> dict[str, RowMemory]:
    """Return all forecasts by study."""
    return {name: RowMemory(name, **found) for name, found in read_yaml("memory.yaml").items()}
