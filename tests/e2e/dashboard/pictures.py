"""Take the pictures of docs/dashboards: ``python -m tests.e2e.dashboard.pictures STORE FOLDER [PICTURE ...]``.

``STORE`` is a store that studies were run in, or ``made-up`` for the one that the tests make up. ``importance``,
``failures``, ``guard`` (what may not be ranked together) and ``studies`` show something in a store of many trials only.
"""

import io
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from dashboards.views import BUILT_IN
from orchestrator.core.store import Store
from tests.e2e.dashboard.browser import PHONE, WIDE, chromium, watched
from tests.e2e.dashboard.conftest import served
from tests.e2e.dashboard.fake_store import build

VIEWS = tuple(view.id for view in BUILT_IN)
SETTINGS = {"compare": {"states": "finished", "methods": "bckd"}}  # the two best of a method: their settings fit
OTHERS = {
    "guard": ("leaderboard", WIDE, "light"),
    "studies": ("overview", WIDE, "light"),
    "dark": ("overview", WIDE, "dark"),
    "phone": ("overview", PHONE, "light"),
}
COLOURS = 256
TALLEST = 1100  # pixels: what a page shows of a picture before it is too small to read


def main(arguments: Sequence[str]) -> None:
    """Take the named pictures, or all."""
    named, folder, wanted = arguments[0], Path(arguments[1]), arguments[2:]
    for store in _stores(named):
        for address in served(store.tracking_uri):
            with chromium() as browser:
                for name in wanted or (*VIEWS, *OTHERS):
                    take(browser, address, name, folder / f"{name}.png")


def take(browser: Browser, address: str, name: str, target: Path) -> None:
    """Take one picture: the whole view, as far down as ``TALLEST``."""
    view, size, scheme = OTHERS.get(name, (name, WIDE, "light"))
    with watched(browser, size, scheme) as look:
        page = look.show(address, view, **SETTINGS.get(name, {}))
        page.wait_for_timeout(500)  # pictures within the page
        high = min(TALLEST, page.evaluate("document.documentElement.scrollHeight"))
        page.set_viewport_size({"width": size[0], "height": high})
        page.wait_for_timeout(300)
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        if name != "predictions":  # photographs need all their colours; the rest takes a third of the bytes
            shot = shot.quantize(COLOURS)
        shot.save(target, optimize=True)


def _stores(name: str) -> Iterator[Store]:
    if name != "made-up":
        yield Store(name)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield build(Path(folder), hostile=False)


if __name__ == "__main__":
    main(sys.argv[1:])
