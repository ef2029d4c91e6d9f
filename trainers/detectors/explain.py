"""Explain an error that mmdet, or the code of a user's config, has raised in one sentence."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from trainers.errors import TrialError
from trainers.schema.error_text import first_line_of
from trainers.schema.plugins import BrokenPlugin

ADVICE = re.compile(r" ?(Please check whether|More details can be found).*")  # mmengine's, longer than the message
CUSTOM_IMPORTS = "Failed to import custom modules from"  # mmengine's, for whatever a module of custom_imports raised
SAYS_IT_ALL = (SyntaxError, OSError, BrokenPlugin)
LASTING = (None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.ENAMETOOLONG)


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Raise errors inside the block as ``TrialError``: ``cannot <doing>: <why>``.

    A lack of memory, or a file system that does not answer, passes as it is: it may be gone the next time.
    """
    try:
        yield
    except TrialError:
        raise
    except Exception as error:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno not in LASTING):
            raise
        raise TrialError(f"cannot {doing}: {explanation(error)}") from error


def explanation(error: BaseException) -> str:
    """Return an error's kind and first line; of a failed import the package that is missing."""
    missing = missing_package(error)
    if missing is not None:
        return f"it needs the Python package {missing}, which is not installed here"
    if isinstance(error, ImportError) and str(error).startswith(CUSTOM_IMPORTS):
        return _failed_import(error)
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    first = ADVICE.sub("", first_line_of(text)).rstrip(" .")
    if isinstance(error, SAYS_IT_ALL) and first:
        return first
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _failed_import(error: BaseException) -> str:
    """Return the module of ``custom_imports`` that failed to import, and its error: mmengine lists paths instead."""
    module = error.__cause__ or error.__context__
    raised = module and (module.__cause__ or module.__context__)
    return ": ".join([str(module or CUSTOM_IMPORTS), *([explanation(raised)] if raised else [])])


def missing_package(error: BaseException) -> str | None:
    """Return the package that an error or one of its causes could not find."""
    found: BaseException | None = error
    while isinstance(found, ImportError):
        if isinstance(found, ModuleNotFoundError) and found.name:
            return found.name.partition(".")[0]
        found = found.__cause__ or found.__context__
    return None
