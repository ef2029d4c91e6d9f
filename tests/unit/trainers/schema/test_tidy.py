from pathlib import Path

from trainers.schema.manifest import Manifest, ManifestEntry, read_manifest, write_manifest
from trainers.schema.record import Outcome, write_outcome
from trainers.schema.tidy import tidy_over


def test_a_trial_that_was_killed_behind_its_outcome_is_left_as_one_that_was_not(tmp_path: Path) -> None:
    best = ManifestEntry("best.pth", 4, 1, "0")
    write_manifest(tmp_path, Manifest((ManifestEntry("resume-8.pt", 8, 1, "0"),), {"best.pth": best}))
    write_outcome(tmp_path, Outcome("finished"))
    for name in (
        "best.pth",
        "resume-6.pt",
        "resume-8.pt",
        "progress.json",
        "stacks-0.txt",
        "stop",
        ".last.pth.partial",
    ):
        (tmp_path / name).touch()
    (tmp_path / "stacks-1.txt").write_text("Thread 0x1\n")  # somebody may want to read it
    for _ in range(2):
        tidy_over(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "best.pth", "manifest.json", "outcome.json", "stacks-1.txt",
        ]  # fmt: skip
        assert read_manifest(tmp_path) == Manifest((), {"best.pth": best})
