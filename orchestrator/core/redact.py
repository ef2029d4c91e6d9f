"""Keep secrets out of printed, logged and recorded text."""

import functools
import os
import re
from collections.abc import Callable, Sequence

from pydantic import JsonValue

from trainers.schema.error_text import first_line_of

HIDDEN = "***"
SHORTEST = 8  # characters; a shorter value of a variable would hide innocent text
SECRET_NAME = re.compile(
    r"secret|token|passw(or)?d|passphrase|passwd|_pwd$|(^|_)pass($|_)|credential|private_?key|api_?key|access_?key"
    r"|auth(?!or)|cookie|session_?key|signature|_dsn$|_key$",
    re.IGNORECASE,
)
# user:password@ of an address; the password may hold "/" and even "@", as SQLAlchemy's parser allows
USER_INFO = re.compile(r"(?<=://)(?:[^\s/@:\"']*:[^\s@\"']*|[^\s/@\"']+)@(?:[^\s/@\"']*@)*")
SETTING = re.compile(
    r"(?P<key>\b[\w.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|credential|signature)[\w.-]*"
    r"|(?<=[?&;])(?:pwd|sig|key|auth)|\bpwd)(?P<is>=|%3d)(?P<value>[^\s&;,'\"}\])]+)",
    re.IGNORECASE,
)
HEADER = re.compile(r"(?P<scheme>\bBearer|[Aa]uthorization\W{1,4}Basic)\s+[A-Za-z0-9+/=._~-]{8,}")


def redacted(text: str) -> str:
    """Return ``text`` without passwords in addresses, values of settings named like secrets, and such variables' values.

    The variables are this process's environment: their values are removed from any text that quotes them.
    """
    return redaction()(text)


def redaction() -> Callable[[str], str]:
    """Return ``redacted`` with the secrets that the environment has now, for thousands of texts at once."""
    return functools.partial(_redacted, _secret_values())


def _redacted(secrets: Sequence[str], text: str) -> str:
    for value in secrets:
        text = text.replace(value, HIDDEN)
    text = USER_INFO.sub(f"{HIDDEN}@", text)
    text = SETTING.sub(rf"\g<key>\g<is>{HIDDEN}", text)
    return HEADER.sub(rf"\g<scheme> {HIDDEN}", text)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message without secrets, or the name of its class when it has no message."""
    return first_line_of(redacted(str(error))) or type(error).__name__


def redacted_data(data: JsonValue) -> JsonValue:
    """Return plain data with every text in it redacted, keys included."""
    if isinstance(data, str):
        return redacted(data)
    if isinstance(data, list):
        return [redacted_data(item) for item in data]
    if isinstance(data, dict):
        return {redacted(key): redacted_data(value) for key, value in data.items()}
    return data


def has_password(address: str) -> bool:
    """Return whether an address carries credentials."""
    return USER_INFO.search(address) is not None or SETTING.search(address) is not None


@functools.lru_cache(maxsize=10_000)  # asked again for every text that is recorded
def is_secret_name(name: str) -> bool:
    """Return whether an environment variable is named as secrets are."""
    return SECRET_NAME.search(name) is not None


def _secret_values() -> list[str]:
    """Return the values of the environment's secrets, longest first: one may contain another."""
    found = {os.environ.get(name, "") for name in os.environ if is_secret_name(name)}
    kept = (value for value in found if len(value) >= SHORTEST and not _is_setting(value))
    return sorted(kept, key=len, reverse=True)


def _is_setting(value: str) -> bool:
    """Return whether a value is a choice or a place (``SSH_AUTH_SOCK=/run/...``) rather than a secret."""
    return value.startswith(("/", "~", "./")) or value.lower() in ("disabled", "required", "optional")
