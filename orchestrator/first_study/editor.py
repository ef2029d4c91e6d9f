"""Name the schema of studies in a study, so that editors complete its keys."""

import os
import re
from pathlib import Path

from orchestrator.study.json_schema import shipped_schema

PLAIN = re.compile(r"[\w./-]+")  # the language server ends a name at a space, and cuts it at a "#"


def editor_line(study: Path) -> str:
    """Return the comment by which the YAML language server finds the schema of the study file ``study``.

    The schema is a file of the installed package; there is no address for it in the network. Where the package lies below
    the study's folder, as in a project's own environment, the name is relative and survives a move of the project;
    elsewhere it is the file's URI, which is right on this machine and ignored on others.
    """
    schema, folder = shipped_schema().resolve(), Path(os.path.realpath(study)).parent
    inner = str(schema.relative_to(folder)) if schema.is_relative_to(folder) else ""
    return f"# yaml-language-server: $schema={inner if PLAIN.fullmatch(inner) else schema.as_uri()}"
