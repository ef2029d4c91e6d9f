"""Pause one trial: it saves its state and frees its place until resume --trial."""

import argparse

from orchestrator.commands.trial_request import add_trial_arguments, ask_about_trial
from trainers.schema.request import Request


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_trial_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask the trial to pause."""
    return ask_about_trial(arguments, Request.PAUSE)
