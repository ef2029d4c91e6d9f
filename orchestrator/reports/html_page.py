"""Write a report as one HTML page that loads nothing and runs nothing."""

from functools import cache
from typing import TYPE_CHECKING

from orchestrator.core.printable import printable
from orchestrator.reports.cells import cells, groups, titles, word_titles
from orchestrator.reports.document import Report

if TYPE_CHECKING:
    from jinja2 import Template

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
<div class=wide><table>
<thead><tr>
{%- for title in titles %}<th scope=col{% if loop.index0 < words %} class=word{% endif %}>{{ title }}</th>{% endfor -%}
</tr></thead>
{% for rows in groups %}<tbody>
{%- for cells in rows %}{% if not loop.first %}
{% endif %}<tr>
{%- for cell in cells[:words] %}<th scope=row class=word>{{ cell }}</th>{% endfor %}
{%- for cell in cells[words:] %}<td>{{ cell }}</td>{% endfor %}</tr>
{%- endfor %}</tbody>
{% endfor %}</table></div>
{% for note in report.notes %}<p class=notes>{{ note }}</p>{% endfor %}
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
        groups=[[cells(report, row) for row in rows] for rows in groups(report)],
    )


@cache
def _page() -> "Template":
    from jinja2 import Environment, StrictUndefined

    escaping = Environment(autoescape=True, undefined=StrictUndefined, finalize=printable, keep_trailing_newline=True)
    return escaping.from_string(PAGE)
