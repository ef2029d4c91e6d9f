"""Name submissions: the same study for the same store is the same submission, for every user and every repetition."""

import re
from typing import NamedTuple

from orchestrator.study.fingerprint import fingerprint

PREFIX = "stillhouse-"
ID = re.compile(rf"(?P<key>{PREFIX}[0-9a-f]{{12}})(?:-(?P<attempt>[1-9][0-9]{{0,5}}))?")


class Attempt(NamedTuple):
    """Name one try of a submission; its text is the id of the job in Ray."""

    key: str
    number: int

    def __str__(self) -> str:
        return f"{self.key}-{self.number}"

    @property
    def next(self) -> "Attempt":
        """Return the try after this one."""
        return Attempt(self.key, self.number + 1)


def submission_key(study_fingerprint: str, store: str) -> str:
    """Return the name that all attempts of a submission share."""
    return PREFIX + fingerprint({"study": study_fingerprint, "store": store})[:12]


def parse_attempt(text: str) -> Attempt | None:
    """Return the attempt that a job's id names, ``None`` for anybody else's job."""
    found = ID.fullmatch(text)
    return Attempt(found["key"], int(found["attempt"])) if found and found["attempt"] else None


def key_in(text: str) -> str | None:
    """Return the submission that a text names, with or without an attempt; ``None`` when it is no such name."""
    found = ID.fullmatch(text)
    return found["key"] if found else None
