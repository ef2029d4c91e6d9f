"""Read the tables of a page."""

from playwright.sync_api import Page


def numbers(page: Page, chart: str) -> list[list[str]]:
    """Open the table below a chart and return its cells."""
    page.locator(f"#{chart}-details > summary").click()
    return cells_of(page, f"#{chart}-numbers")


def cells_of(page: Page, table: str) -> list[list[str]]:
    """Return the cells of a table's body, by row."""
    page.wait_for_selector(table)
    script = "table => [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.innerText))"
    found: list[list[str]] = page.locator(table).evaluate(script)
    return found


def study_named(page: Page, address: str, name: str) -> str:
    """Return the id of a study."""
    studies = page.request.get(f"{address}api/snapshot").json()["studies"]
    return next(str(study["id"]) for study in studies if study["name"] == name)


def titles_of(page: Page, table: str) -> list[str]:
    """Return a table's headings, once it is drawn."""
    page.wait_for_selector(f"{table} th")
    return page.locator(f"{table} th").all_inner_texts()
