"""Hold a trial of ``ranked_loop`` between epochs, and read on which nodes it was trained."""

import json
from pathlib import Path

HOLD = "hold"  # in a trial's directory: while it is there, no epoch begins after a new one
RANKS = "ranks.jsonl"  # in a trial's directory: one line a start, nodes and processes by rank


def hold(directory: Path) -> None:
    """Let a trial wait after its next new epoch, and with it those that train beside it, until ``go_on``."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / HOLD).touch()


def go_on(directory: Path) -> None:
    """Let a trial that was held train on."""
    (directory / HOLD).unlink()


def noted_ranks(directory: Path) -> list[list[str]]:
    """Return for each start of a trial the nodes of its workers, by rank."""
    return [[node for node, _ in ranks] for ranks in _noted(directory)]


def noted_pids(directory: Path) -> list[int]:
    """Return the processes that train a trial, by rank."""
    return [pid for _, pid in _noted(directory)[-1]]


def _noted(directory: Path) -> list[list[tuple[str, int]]]:
    path = directory / RANKS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
