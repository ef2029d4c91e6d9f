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


def titles_of(page: Page, table: str) -> list[str]:
    """Return a table's headings."""
    return page.locator(f"{table} th").all_inner_texts()
