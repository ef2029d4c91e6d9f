"""Validate an uploaded study as data, name it, and turn it into a job request for this service's cluster."""

import re
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints, field_validator

from orchestrator.core.errors import UserError
from orchestrator.core.findings import StudyErrors
from orchestrator.core.store import Store
from orchestrator.plan.named import named
from orchestrator.plan.plan import make_plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.study.document import read_file
from orchestrator.study.inherit import BASE
from orchestrator.study.load import LoadedStudy, load_study
from orchestrator.study.paths import config_keys, value_at
from orchestrator.submit.identity import submission_key
from orchestrator.submit.job_request import JobRequest
from orchestrator.submit.shipment import LARGEST, STUDY, Shipment
from orchestrator.submit.study_request import study_request
from trainers.schema.base import Section
from trainers.schema.request import Request

NAME = re.compile(r"study\.yaml|configs/[0-9a-f]{8}/[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
MOST_FILES = 33
Content = Annotated[str, StringConstraints(max_length=LARGEST)]


class Sent(Section):
    """Hold a client's upload: the files of a shipment, as text."""

    files: dict[str, Content] = Field(min_length=1, max_length=MOST_FILES)
    trust_config: bool = False
    resume: bool = False

    @field_validator("files")
    @classmethod
    def _known_names(cls, files: dict[str, str]) -> dict[str, str]:
        """Refuse names that a shipment does not have: they become paths."""
        for name in files:
            if not NAME.fullmatch(name):
                raise ValueError(
                    f"a study file cannot be named {name!r:.100}: name it {STUDY}, or configs/ with 8 hexadecimal digits and a name"
                )
        if STUDY not in files:
            raise ValueError(f"there is no {STUDY} among the files: send the study by that name")
        if sum(len(content.encode()) for content in files.values()) > LARGEST:
            raise ValueError(
                f"the files have more than {LARGEST >> 20} MiB: send the study and its configs only, no data"
            )
        return files


class SentTrial(Sent):
    """Hold a study and a request about one of its trials, named by the first digits of its id."""

    trial: str = Field(min_length=1, max_length=64)
    request: Annotated[Request, Field(strict=False)]


@dataclass(frozen=True)
class SubmissionValidator:
    """Make job requests for one store and cluster, whose mirror, interpreter, variables and driver's place the service decides."""

    store: str
    mirror: str | None = None
    python: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    resources: dict[str, float] = field(default_factory=dict)

    def job_request(self, sent: Sent) -> JobRequest:
        """Return the job request; raises ``StudyErrors`` or ``UserError`` for a study that is wrong."""
        with loaded_study(sent) as loaded:
            return self._job_request(loaded, sent)

    def trial(self, sent: Sent, wanted: str) -> tuple[str, PlannedTrial]:
        """Return the key of a study and its trial whose id begins with ``wanted``; raises ``UserError`` without one."""
        with loaded_study(sent) as loaded:
            plan = make_plan(loaded, Store(self.store))
            return submission_key(plan.fingerprint, self.store), named(plan, wanted)

    def _job_request(self, loaded: LoadedStudy, sent: Sent) -> JobRequest:
        return study_request(
            loaded,
            (),
            self.store,
            trust_config=sent.trust_config,
            options=("--mirror", self.mirror) if self.mirror else (),
            python=self.python,
            variables=self.variables,
            resources=self.resources,
            shipment=Shipment({name: content.encode() for name, content in sent.files.items()}),
        )


@contextmanager
def loaded_study(sent: Sent) -> Iterator[LoadedStudy]:
    """Load a study that was sent, in a folder that is there for as long.

    One that builds on other files is refused before its bases are read: messages quote files, and these would be the
    service's own. Errors name files as they were sent.
    """
    with tempfile.TemporaryDirectory(prefix="stillhouse-") as folder, as_sent(folder):
        for name, content in sent.files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        require_whole(read_file(Path(folder) / STUDY, STUDY).data, sent.files)
        yield load_study(Path(folder) / STUDY, trust_python=sent.trust_config)


@contextmanager
def as_sent(folder: str) -> Iterator[None]:
    """Take the folder, of which a client knows nothing, out of the errors of a block."""
    try:
        yield
    except StudyErrors as errors:
        found = [
            replace(one, where=_sent(one.where, folder), message=_sent(one.message, folder)) for one in errors.findings
        ]
        raise StudyErrors(found) from errors
    except UserError as error:
        raise UserError(_sent(str(error), folder)) from error


def _sent(text: str, folder: str) -> str:
    return text.replace(f"{folder}/", "").replace(folder, ".")


def require_whole(study: JsonValue, files: Collection[str]) -> None:
    """Raise ``UserError`` for a study that needs more than the files that were sent with it, or less."""
    if not isinstance(study, dict):
        return  # the loader says what is wrong with it
    if BASE in study:
        raise UserError(f"{STUDY}: a submitted study cannot have {BASE}: merge its bases into this file")
    named = {value for key in config_keys(study) if isinstance(value := value_at(study, key), str)}
    if needless := sorted(set(files) - named - {STUDY}):
        raise UserError(f"{STUDY} does not name {needless[0]}, which was sent with it: send only files that it names")
