"""Read the token that the service and its clients share."""

import os

from orchestrator.core.errors import UserError

TOKEN = "STILLHOUSE_TOKEN"


def service_token() -> str:
    """Return the token of the environment, "" without one; raise ``UserError`` for one that no HTTP header can carry."""
    token = os.environ.get(TOKEN, "")
    if not (token.isascii() and token.isprintable() and token == token.strip()):
        raise UserError(
            f"{TOKEN} may hold ASCII letters, digits and punctuation only, with no space at either end: "
            "it is sent in the head of a request; openssl rand -hex 16 makes one"
        )
    return token
