"""Write a report as one HTML page that loads nothing and runs nothing."""

from html import escape

from orchestrator.core.printable import printable
from orchestrator.reports.cells import cells, groups, titles, word_titles
from orchestrator.reports.document import Report

STYLE = """
:root { color-scheme: light dark; --rule: light-dark(#333, #bbb); --quiet: light-dark(#555, #aaa); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; border-block: 2px solid var(--rule); font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; white-space: nowrap; }
th.word { text-align: left; font-weight: normal; }
thead th { border-bottom: 1px solid var(--rule); font-weight: 600; }
tbody + tbody { border-top: 1px solid var(--rule); }
.notes, dt { color: var(--quiet); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
pre { overflow-x: auto; }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html_page(report: Report) -> str:
    """Return the report as HTML; all names and values are escaped."""
    title = _text(report.study)
    notes = "".join(f"<p class=notes>{_text(note)}</p>" for note in report.notes)
    facts = "".join(f"<dt>{_text(name)}<dd>{_text(value)}" for name, value in report.provenance)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n<style>{STYLE}</style>\n'
        f"<h1>{title}</h1>\n<p>{_text(report.description)}</p>\n{_table(report)}\n{notes}\n<dl>{facts}</dl>\n"
        f"<pre>$ {_text(report.command)}</pre>\n</html>\n"
    )


def _table(report: Report) -> str:
    words = len(word_titles(report))
    heads = [f"<th scope=col{_kind(n, words)}>{_text(title)}</th>" for n, title in enumerate(titles(report))]
    bodies = "\n".join(
        "<tbody>" + "\n".join(_row(cells(report, row), words) for row in rows) + "</tbody>" for rows in groups(report)
    )
    return f"<div class=wide><table>\n<thead><tr>{''.join(heads)}</tr></thead>\n{bodies}\n</table></div>"


def _row(found: list[str], words: int) -> str:
    named = [f"<th scope=row class=word>{_text(cell)}</th>" for cell in found[:words]]
    return f"<tr>{''.join(named)}{''.join(f'<td>{_text(cell)}</td>' for cell in found[words:])}</tr>"


def _kind(number: int, words: int) -> str:
    return " class=word" if number < words else ""


def _text(text: str) -> str:
    return escape(printable(text))
