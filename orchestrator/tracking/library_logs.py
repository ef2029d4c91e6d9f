"""Keep the logs of MLflow and of the libraries below it off the terminal."""

import logging

LIBRARIES = ("mlflow", "alembic", "sqlalchemy")


def silence_libraries() -> None:
    """Let the caller alone tell an error, in one sentence: MLflow logs each one with a traceback, SQL and its parameters."""
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(logging.CRITICAL)
