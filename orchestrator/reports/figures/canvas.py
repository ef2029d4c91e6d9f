"""Share the looks of all figures, and write them to files."""

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from orchestrator.core.errors import OperationError
from trainers.schema.atomic import write_bytes

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
RESOLUTION = 300  # dots per inch of a figure in pixels, as journals ask for
SCREEN = 150  # dots per inch of a photograph in a page


def write_figure(draw: Callable[[], Figure], path: Path) -> None:
    """Draw a figure and write it to ``path``, whole or not at all; the name's ending says the format.

    Raises ``OperationError`` when the file cannot be written.
    """
    content = figure_bytes(draw, path.suffix.removeprefix(".").lower(), RESOLUTION)
    try:
        write_bytes(path, content)
    except OSError as error:
        raise OperationError(f"cannot write to {path}: {error.strerror or error}") from error


def figure_bytes(draw: Callable[[], Figure], kind: str, resolution: int = SCREEN) -> bytes:
    """Draw a figure and return it as a file of a format that matplotlib knows, such as ``svg``, ``png`` or ``jpg``.

    The same figure gives the same bytes. ``resolution`` is in dots per inch.
    """
    dateless = {"svg": "Date", "pdf": "CreationDate"}.get(kind)
    content = io.BytesIO()
    with mpl.rc_context(LOOKS):  # type: ignore[arg-type]  # the keys are rcParams' own
        figure = draw()
        FigureCanvasAgg(figure)
        figure.savefig(content, format=kind, dpi=resolution, metadata={dateless: None} if dateless else None)
    return content.getvalue()
