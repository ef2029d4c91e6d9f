"""Put the page, its scripts and a snapshot into one HTML file that opens from disk.

Browsers refuse to load modules from ``file://``, so the modules are joined into one classic script. The page uses only
forms that it supports: imports of names from relative paths, and exports at declarations.
"""

import html
import re
from importlib.resources import files
from pathlib import PurePosixPath

from dashboards.views import list_script, views
from dashboards.web.escape import in_script

ENTRY = "app/main.js"
LIST, FOLDER = "app/views.js", "app/views/"
_IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function|const|class) (\w+)", re.MULTILINE)
_LEFT_OVER = re.compile(r"^\s*(import|export)\b.*", re.MULTILINE)


def page(snapshot: str, title: str = "Stillhouse") -> str:
    """Return the page as one document; ``snapshot`` is JSON text, which becomes inert data in it."""
    text = read("index.html")
    parts = {
        '<link rel="stylesheet" href="style.css">': f"<style>\n{read('style.css')}</style>",
        '<script src="vendor/echarts.min.js" defer></script>': "",
        '<script src="app/main.js" type="module"></script>': _scripts(snapshot),
        "<title>Stillhouse</title>": f"<title>{html.escape(title)}</title>",
    }
    for place, content in parts.items():
        if text.count(place) != 1:
            raise ValueError(f"index.html must hold exactly once: {place}")
        text = text.replace(place, content)
    return text


def script() -> str:
    """Return all modules of the page as one classic script."""
    modules = "\n".join(_module(name) for name in _in_order(ENTRY, []))
    return f'"use strict";\n(() => {{\nconst modules = {{}};\n{modules}\n}})();\n'


def read(name: str) -> str:
    """Return the text of one file of the page; the list of views is made, and views may lie in other packages."""
    if name == LIST:
        return list_script()
    view = views().get(PurePosixPath(name).stem) if name.startswith(FOLDER) else None
    return view.text() if view else files("dashboards.web").joinpath(name).read_text(encoding="utf-8")


def _scripts(snapshot: str) -> str:
    return (
        f'<script type="application/json" id="snapshot">{in_script(snapshot)}</script>\n'
        f"<script>{read('vendor/echarts.min.js')}</script>\n<script>{script()}</script>"
    )


def _in_order(name: str, done: list[str]) -> list[str]:
    """Add a module to ``done`` after all that it imports."""
    for _, path in _IMPORT.findall(read(name)):
        wanted = _resolve(name, path)
        if wanted not in done:
            _in_order(wanted, done)
    done.append(name)
    return done


def _module(name: str) -> str:
    text = read(name)
    exported = [found for _, found in _EXPORT.findall(text)]
    text = _EXPORT.sub(r"\1 \2", text)
    text = _IMPORT.sub(lambda match: _taken(match[1], _resolve(name, match[2])), text)
    if left := _LEFT_OVER.search(text):
        raise ValueError(f"{name}: this form of import or export can't be joined: {left[0].strip()}")
    return f'modules["{name}"] = (() => {{\n{text}\nreturn {{ {", ".join(exported)} }};\n}})();'


def _taken(names: str, module: str) -> str:
    wanted = [" ".join(name.split()).replace(" as ", ": ") for name in names.split(",") if name.strip()]
    return f'const {{ {", ".join(wanted)} }} = modules["{module}"];'


def _resolve(importer: str, path: str) -> str:
    parts: list[str] = []
    for part in (PurePosixPath(importer).parent / path).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
