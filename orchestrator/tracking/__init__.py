"""Write studies to MLflow and read them back: the only place that knows MLflow."""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when MLflow is imported
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # stdout is the table's, or the JSON's
os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")  # nothing here loads a model from MLflow

# MLflow's client would repeat any request seven times over four minutes, also one that the server has carried out
# without its reply arriving: that makes second runs, and uploads repeated from a file's end. Flusher repeats instead.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")  # seconds without a byte, not in all
os.environ.setdefault("PGCONNECT_TIMEOUT", "10")  # seconds; without it a silent PostgreSQL host holds for minutes
