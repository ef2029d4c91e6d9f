"""Start one failed trial again, from its last state: in the run in progress, or with the next one."""

import argparse

from orchestrator.commands.trial_request import add_trial_arguments, ask_about_trial
from trainers.schema.request import Request


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_trial_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask for the trial to be tried again."""
    return ask_about_trial(arguments, Request.RETRY)
