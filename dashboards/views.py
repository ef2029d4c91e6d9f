"""List the page's views, in the order of its menu. Imports nothing heavy.

A package adds a view by an entry point in the group ``stillhouse.views`` that names a ``DashboardView``.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from trainers.schema.plugins import BrokenPlugin, plugged

GROUP = "stillhouse.views"
OURS = "dashboards.web"
ID = re.compile(r"[a-z][a-z0-9_]*")
EXPORTED = re.compile(r"^export const view\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class DashboardView:
    """Name a view: its ``id`` in addresses and dashboards, and the package that holds its script as ``script``.

    The script exports ``view``, an object with this ``id``, a ``title``, a ``lede`` and ``render({ trials, ... })``. It is
    served beside the built-in ones, so it imports their helpers from ``../table.js`` and the like.
    """

    id: str
    package: str
    script: str

    def text(self) -> str:
        """Return the script; raise ``BrokenPlugin`` when it is not there or exports no view."""
        try:
            found = files(self.package).joinpath(self.script).read_text(encoding="utf-8")
        except (OSError, ImportError) as error:
            raise BrokenPlugin(
                f"the view {self.id} ({GROUP}) names {self.script} of package {self.package}, which cannot be read: "
                f"{error}; add the file to the package's data"
            ) from error
        if not EXPORTED.search(found):
            raise BrokenPlugin(
                f"the script {self.script} of the view {self.id} ({GROUP}, package {self.package}) does not say "
                "`export const view = ...`; without it no page can open"
            )
        return found


BUILT_IN = tuple(
    DashboardView(name, OURS, f"app/views/{name}.js")
    for name in (
        "overview", "leaderboard", "trial", "compare", "curves", "phases", "terms", "rungs", "alpha", "parallel",
        "importance", "cost", "classes", "precision", "predictions", "failures",
    )
)  # fmt: skip


@cache
def views() -> dict[str, DashboardView]:
    """Return the views by id: the built-in ones, then those of installed packages."""
    found: dict[str, DashboardView] = {}
    for view in (*BUILT_IN, *plugged(GROUP, DashboardView)):
        if not ID.fullmatch(view.id) or view.id in found:
            raise BrokenPlugin(f"{view.package} adds a view {view.id!r}: {GROUP} needs small letters, and each id once")
        found[view.id] = view
    return found


def list_script() -> str:
    """Return the page's module ``app/views.js``: it imports all views and lists them."""
    names = list(views())
    imports = "\n".join(f'import {{ view as {name} }} from "./views/{name}.js";' for name in names)
    return f"// The views, in the order of the menu.\n\n{imports}\n\nexport const VIEWS = [{', '.join(names)}];\n"
