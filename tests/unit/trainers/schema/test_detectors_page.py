"""The table of detectors stands for every folder of the installed mmdet, and for the configs that are chosen today."""

from pathlib import Path

from tests.detectors_table.chosen import chosen
from tests.detectors_table.page import DOCS, RESULTS, WORKS, read, render
from trainers.detectors.zoo_index import shipped_configs


def table() -> dict[str, list[str]]:
    """Return the cells of each row of the page's table, by folder."""
    lines = DOCS.read_text(encoding="utf-8").partition("| folder |")[2].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {row[0]: row[1:] for row in rows}


def test_every_folder_with_a_model_has_a_row() -> None:
    root = shipped_configs()
    assert root is not None
    holding = {path.relative_to(root).parts[0] for path in root.rglob("*.py") if "model = dict(" in path.read_text()}
    assert set(table()) == {path.name for path in Path(root).iterdir() if path.is_dir()} - {"_base_", "common"}
    assert holding - {"_base_"} <= set(table())


def test_results_are_of_the_configs_that_are_chosen() -> None:
    paths = {folder.name: folder.config.path for folder in chosen() if folder.config is not None}
    known = read(RESULTS)
    assert {name: row["config"] for name, row in known.items()} == {name: paths[name] for name in known}


def test_the_page_is_made_of_the_results() -> None:
    page = DOCS.read_text(encoding="utf-8")
    assert render(page, read(RESULTS)) == page
    assert f"| {WORKS} |" in page
