"""Share the looks of all figures, and write them to files."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from orchestrator.core.errors import OperationError
from trainers.schema.atomic import write_atomically

# Okabe and Ito's colours: told apart with any kind of colour vision
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
)  # fmt: skip
GREY = "#888888"
LOOKS = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 8,
    "text.parse_math": False,  # names are text, whatever signs they hold
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "stillhouse",  # the same figure is the same file
}
RESOLUTION = 150  # dots per inch


def write_figure(draw: Callable[[], Figure], path: Path) -> None:
    """Draw a figure and write it to ``path``, whole or not at all; the name's ending says the format.

    Raises ``OperationError`` when the file cannot be written.
    """
    kind = path.suffix.removeprefix(".").lower()
    dateless = {"svg": "Date", "pdf": "CreationDate"}.get(kind)
    with mpl.rc_context(LOOKS):  # type: ignore[arg-type]  # the keys are rcParams' own
        figure = draw()
        FigureCanvasAgg(figure)
        try:
            write_atomically(
                path,
                lambda file: figure.savefig(
                    file, format=kind, dpi=RESOLUTION, metadata={dateless: None} if dateless else None
                ),
            )
        except OSError as error:
            raise OperationError(f"cannot write to {path}: {error.strerror or error}") from error
