"""Take the pictures of docs/dashboards.md: ``python -m tests.e2e.dashboard.pictures STORE FOLDER [PICTURE ...]``.

``STORE`` is a store that studies were run in, or ``made-up`` for the one that the tests make up. ``importance``,
``failures``, ``guard`` (what may not be ranked together) and ``studies`` show something in a store of many trials only.
``gallery`` takes each view at three widths in both themes, for docs/dashboards/gallery.md.
"""

import io
import itertools
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser

from dashboards.views import BUILT_IN
from orchestrator.core.store import Store
from tests.e2e.dashboard.browser import PHONE, WIDE, chromium, watched
from tests.e2e.dashboard.conftest import served
from tests.e2e.dashboard.fake_store import build

VIEWS = tuple(view.id for view in BUILT_IN)
WIDER = (1440, 900)
GALLERY = "gallery"
OF_ALL_STUDIES = ("studies", "guard")
COLOURS = 256
TALLEST = 1100  # pixels: what a page shows of a picture before it is too small to read
QUALITY = 55  # of WebP


@dataclass(frozen=True)
class Shot:
    """Name a picture: a view at a size of the window in a theme."""

    name: str
    view: str
    size: tuple[int, int] = WIDE
    scheme: str = "light"


OTHERS = (
    Shot("guard", "leaderboard"), Shot("studies", "overview"), Shot("dark", "overview", scheme="dark"),
    Shot("phone", "overview", PHONE),
)  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Take the named pictures, or all."""
    named, folder, wanted = arguments[0], Path(arguments[1]), arguments[2:]
    shots = list(gallery()) if wanted == [GALLERY] else [*(Shot(view, view) for view in VIEWS), *OTHERS]
    ending = "webp" if wanted == [GALLERY] else "png"
    for store in _stores(named):
        for address in served(store.tracking_uri):
            with chromium() as browser:
                for shot in shots:
                    if wanted in ([], [GALLERY]) or shot.name in wanted:
                        take(browser, address, shot, folder / f"{shot.name}.{ending}")


def gallery() -> Iterator[Shot]:
    """Yield every view at three widths in both themes."""
    for view, size, scheme in itertools.product(VIEWS, (WIDER, WIDE, PHONE), ("light", "dark")):
        yield Shot(f"{view}-{size[0]}-{scheme}", view, size, scheme)


def take(browser: Browser, address: str, shot: Shot, target: Path) -> None:
    """Take one picture: the whole view, as far down as ``TALLEST``."""
    with watched(browser, shot.size, shot.scheme) as look:
        snapshot = look.page.request.get(f"{address}api/snapshot").json()
        page = look.show(address, shot.view, **({} if shot.name in OF_ALL_STUDIES else chosen(snapshot, shot.view)))
        page.wait_for_timeout(500)  # pictures within the page
        high = min(TALLEST, page.evaluate("document.documentElement.scrollHeight"))
        page.set_viewport_size({"width": shot.size[0], "height": high})
        page.wait_for_timeout(300)
        save(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), target, photographs=shot.view == "predictions")


def chosen(snapshot: dict[str, Any], view: str) -> dict[str, str]:
    """Return what to show: the largest study, for the loss weights with a grid of them; side by side the two best of a method."""
    grids = {run for grid in snapshot["alpha"] for line in grid["runs"] for cell in line for run in cell}
    studies = [study for study in snapshot["studies"] if view != "alpha" or grids.intersection(study["runs"])]
    study = max(studies or snapshot["studies"], key=lambda study: len(study["runs"]))
    method = next((trial["method"] for trial in snapshot["trials"] if trial["run"] == study["best"]), "")
    return {"study": study["id"], **({"states": "finished", "methods": method} if view == "compare" else {})}


def save(picture: Image.Image, target: Path, *, photographs: bool) -> None:
    """Write a picture in few bytes; photographs keep all their colours."""
    if target.suffix == ".webp":
        picture.save(target, quality=QUALITY, method=6)
    else:
        shown = picture if photographs else picture.quantize(COLOURS)
        shown.save(target, optimize=True)


def _stores(name: str) -> Iterator[Store]:
    if name != "made-up":
        yield Store(name)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield build(Path(folder), hostile=False)


if __name__ == "__main__":
    main(sys.argv[1:])
