"""Write a small table as HTML for notebooks; every text in it is escaped."""

import html
from collections.abc import Iterable, Sequence

from orchestrator.core.printable import printable
from orchestrator.core.redact import redacted


def html_table(caption: str, titles: Sequence[str], rows: Iterable[Sequence[object]], notes: Iterable[str] = ()) -> str:
    """Return a table with a caption and, below it, one line for each note.

    Names come from files of strangers: all texts are escaped, and secrets are left out.
    """
    head = "".join(f"<th>{_safe(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in row)}</tr>" for row in rows)
    below = "".join(f"<div>{_safe(note)}</div>" for note in notes)
    return (
        f"<table><caption>{_safe(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"
    )


def _safe(value: object) -> str:
    return html.escape(printable(redacted(str(value))))
