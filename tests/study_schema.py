"""Write configs/schema/study.json, the JSON schema of studies: ``python -m tests.study_schema``, or ``make schema``.

Its descriptions are the sentences of docs/studies.md.
"""

import sys

from orchestrator.study.json_schema import schema_text, shipped_schema, study_schema
from tests.reference import meanings

FILE = shipped_schema()


def text() -> str:
    """Return the schema as the file holds it."""
    described = meanings()
    return schema_text(study_schema(lambda section, key: described.get((section, key))))


def main() -> int:
    """Write the file."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
    print(f"{FILE}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
