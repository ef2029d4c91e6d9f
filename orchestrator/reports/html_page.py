"""Write a report as one HTML page that loads nothing and runs nothing; its pictures are in it."""

import base64
import html
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from orchestrator.core.printable import printable
from orchestrator.reports.cells import cells, groups, titles, word_titles
from orchestrator.reports.document import Report

if TYPE_CHECKING:
    from jinja2 import Template

    from orchestrator.reports.page_pictures import PagePicture

STYLE = """
:root { color-scheme: light dark; --rule: light-dark(#333, #bbb); --quiet: light-dark(#555, #aaa); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; border-block: 2px solid var(--rule); font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; white-space: nowrap; }
th.word { text-align: left; font-weight: normal; }
thead th { border-bottom: 1px solid var(--rule); font-weight: 600; }
tr.best > * { font-weight: 700; }
tbody + tbody { border-top: 1px solid var(--rule); }
.notes, dt { color: var(--quiet); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
pre { overflow-x: auto; }
.answer { font-size: 1.15rem; }
figure { margin: 1.5rem 0; }
figure img { max-width: 100%; height: auto; background: #fff; }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
PICTURES = "<!-- pictures -->"  # no text of a report can hold it: its < would be escaped
PAGE = (
    f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{{{ report.study }}}}</title>
<style>{STYLE}</style>
"""
    """<h1>{{ report.study }}</h1>
<p>{{ report.description }}</p>
{% if report.answer %}<p class=answer>{{ report.answer }}</p>{% endif %}
<div class=wide><table>
<thead><tr>
{%- for title in titles %}<th scope=col{% if loop.index0 < words %} class=word{% endif %}>{{ title }}</th>{% endfor -%}
</tr></thead>
{% for rows in groups %}<tbody>
{%- for best, cells in rows %}{% if not loop.first %}
{% endif %}<tr{% if best %} class=best{% endif %}>
{%- for cell in cells[:words] %}<th scope=row class=word>{{ cell }}</th>{% endfor %}
{%- for cell in cells[words:] %}<td>{{ cell }}</td>{% endfor %}</tr>
{%- endfor %}</tbody>
{% endfor %}</table></div>
{% for note in report.notes %}<p class=notes>{{ note }}</p>{% endfor %}
<!-- pictures -->
<dl>{% for name, value in report.facts %}<dt>{{ name }}<dd>{{ value }}{% endfor %}</dl>
<dl>{% for name, value in report.provenance %}<dt>{{ name }}<dd>{{ value }}{% endfor %}</dl>
<pre>$ {{ report.command }}</pre>
</html>
"""
)


def html_page(report: Report) -> str:
    """Return the report as HTML; all names and values are escaped."""
    return _page().render(
        report=report,
        titles=titles(report),
        words=len(word_titles(report)),
        groups=[[(row.best, cells(report, row)) for row in rows] for rows in groups(report)],
    )


def with_pictures(page: str, pictures: "Iterable[PagePicture]") -> str:
    """Return a report's page with pictures below its table.

    They come last, so that nothing that looks for secrets in a page's text takes a picture's bytes for one.
    """
    return page.replace(PICTURES, "\n".join(map(_figure, pictures)), 1)


def _figure(picture: "PagePicture") -> str:
    source = f"data:{picture.media_type};base64,{base64.b64encode(picture.content).decode()}"
    text = html.escape(printable(picture.text))
    return f'<figure><img src="{source}" alt="{text}"><figcaption class=notes>{text}</figcaption></figure>'


@cache
def _page() -> "Template":
    from jinja2 import Environment, StrictUndefined

    escaping = Environment(autoescape=True, undefined=StrictUndefined, finalize=printable, keep_trailing_newline=True)
    return escaping.from_string(PAGE)
