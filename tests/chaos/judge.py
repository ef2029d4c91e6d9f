"""Disturb one run and judge what it has left."""

import getpass
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.command import Command
from tests.chaos.comparison import store_differences, tracking_differences
from tests.chaos.disturb import Chaos, Story, tracked
from tests.chaos.flavours import Flavour

KEPT = {"ray", f"torchinductor_{getpass.getuser()}"}  # an undisturbed run leaves logs and an empty cache too


@dataclass(frozen=True)
class Judged:
    """Hold a run's story and everything that is wrong with its end."""

    story: Story
    faults: list[str]


def disturbed(
    flavour: Flavour, seed: int, kills: int, folder: Path, scratch: Path, expected: Path, pause_s: float | None = None
) -> Judged:
    """Run the study in ``folder`` with ``kills``, or pauses of ``pause_s``; compare what is left with the store ``expected``.

    That it does not end is a fault like any other.
    """
    with tracked(flavour, folder) as server:
        command = Command(flavour, folder, scratch, server.address if server else None)
        chaos = Chaos(command, flavour, seed, server, pause_s)
        try:
            story = chaos.run(kills)
        except AssertionError as error:
            return Judged(chaos.story, [str(error)])
    database = folder / "server" / "mlflow.db" if flavour.server else command.store / "mlflow.db"
    files = [f"{path} is left" for path in sorted(scratch.iterdir()) if path.name not in KEPT]
    return Judged(
        story,
        [
            *story.left,
            *files,
            *store_differences(expected, command.store),
            *tracking_differences(database, command.store),
        ],
    )
