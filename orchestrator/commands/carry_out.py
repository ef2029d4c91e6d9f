"""Carry out one command: turn the errors that it raises into one message and an exit code."""

import argparse
import logging
import sys
from collections.abc import Callable
from typing import NoReturn

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.exit_codes import FAILED, INTERRUPTED, OK, WRONG_INPUT
from orchestrator.core.findings import StudyErrors, print_findings
from orchestrator.core.outcome import ExitStatus
from orchestrator.core.plain_log import plain_handler
from orchestrator.core.printable import printable
from orchestrator.core.redact import redacted
from orchestrator.core.terminal import painted_as
from orchestrator.core.working_directory import require_working_directory
from trainers.schema.plugins import BrokenPlugin

STOPPED = "interrupted; reported results are kept, and the same command resumes from them"


def carry_out(command: Callable[[], int | ExitStatus]) -> ExitStatus:
    """Run ``command`` and return how it ended; an error of the user's is one message on stderr, never a traceback."""
    try:
        ended = command()
    except StudyErrors as errors:
        print_findings(errors.findings, sys.stderr)
        return ExitStatus(WRONG_INPUT, str(errors).splitlines()[0])
    except (UserError, BrokenPlugin) as error:
        return complain(error, WRONG_INPUT)
    except OperationError as error:
        return complain(error, FAILED)
    except KeyboardInterrupt:
        print(f"stillhouse: {STOPPED}", file=sys.stderr)
        return ExitStatus(INTERRUPTED, STOPPED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe has left: nothing to say and nobody to say it to
        return ExitStatus(OK)
    except FileNotFoundError as error:
        return complain(*of_missing_file(error))
    except OSError as error:  # a full disk, a folder that may not be read: the system's sentence names the file
        return complain(error, FAILED)
    return ended if isinstance(ended, ExitStatus) else ExitStatus(ended)


def of_missing_file(error: FileNotFoundError) -> tuple[Exception, int]:
    """Return the error to report, and its exit code: Python names no file when the working directory is gone."""
    try:
        require_working_directory()
    except UserError as gone:
        return gone, WRONG_INPUT
    return error, FAILED


def complain(error: Exception, code: int) -> ExitStatus:
    """Print an error as one line that is safe to print and holds no secret."""
    reason = printable(redacted(str(error)))
    print(f"{painted_as('error', 'stillhouse:', sys.stderr)} {reason}", file=sys.stderr)
    return ExitStatus(code, reason)


def log_plainly() -> None:
    """Let everything that is logged go to stderr."""
    logging.basicConfig(level=logging.INFO, handlers=[plain_handler()], force=True)


class RaisingParser(argparse.ArgumentParser):
    """Raise ``UserError`` where argparse would end the process: a job has to record why."""

    def error(self, message: str) -> NoReturn:
        """Raise a usage error as ``UserError``."""
        raise UserError(f"{self.prog}: {message}")
