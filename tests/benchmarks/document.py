"""Keep the tables in docs/benchmarks.md."""

from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def write_table(table: str, mark: str = "figures") -> None:
    """Put a table between the document's two marks of its name."""
    _write(table, mark)


def write_replay(table: str) -> None:
    """Put the table of replayed searches between its two marks."""
    _write(table, "replay")


def _write(table: str, mark: str) -> None:
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, _, rest = DOCUMENT.read_text().partition(begin)
    _, _, after = rest.partition(end)
    DOCUMENT.write_text(f"{before}{begin}\n{table}\n{end}{after}")
