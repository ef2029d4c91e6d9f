"""Print for machines: one JSON object on stdout."""

import json
import sys
from typing import Any

from orchestrator.core.redact import redacted_data


def print_json(content: dict[str, Any]) -> None:
    """Print ``content``, without secrets, on stdout as one JSON object; raises ``ValueError`` for NaN and infinity, which JSON lacks."""
    json.dump(redacted_data(content), sys.stdout, indent=2, allow_nan=False)
    print()
