"""Name the tags of MLflow runs. Imports nothing heavy."""

STUDY, TRIAL, FINGERPRINT = "stillhouse.study", "stillhouse.trial", "stillhouse.study_fingerprint"
KIND, ROLE, STATUS, REASON = "stillhouse.kind", "stillhouse.role", "stillhouse.status", "stillhouse.reason"
METHOD, DATA, REVISION = "stillhouse.method", "stillhouse.dataset_digest", "stillhouse.git_revision"
LOCK_DIGEST = "stillhouse.lock_sha256"  # of the file that fixes the versions of all packages
PLANNED = "stillhouse.planned"  # of a study's run: how many trials there will be
ON_GPU = "stillhouse.on_gpu"  # of a trial: yes or no; of hours on processors nobody says that they are GPU-hours
DEVICES = "stillhouse.devices"  # of a trial: on how many it trains at once, which makes hours to device-hours
SEARCHED = "stillhouse.searched"  # of a study's run: the settings that it varies on purpose, a JSON list
METRIC = "stillhouse.metric"  # of a study's run: the metric that its points are compared by
SHORT_OF = "stillhouse.short_of"  # of a short study's run: the name of the full one
POINT = "stillhouse.point"  # of a trial: what the study that was run last has searched, as tables name it
RESULTS = "stillhouse.results_sha256"  # of a study's run: of its results.json, written when that is there
BEST_TRIAL = "stillhouse.best_trial"  # of a study's run: the id of its best student, empty without one
EVENTS = "stillhouse.events"  # of a trial: its timeline, see timeline_tag.py
COST = "stillhouse.cost"  # of a trial: its detector's parameters, multiply-adds and latency, as JSON
PREFIX = "stillhouse.prefix"  # of a trial: whose state it started from, and how many epochs that had made, as JSON
STUDENT = "stillhouse.student_sha256"  # of the best checkpoint, written when the whole student is there
DESCRIBED = "stillhouse.described"  # of a study's run, written when its files are there
MEMBER = "stillhouse.in."  # of a trial, with the first digits of the fingerprint of each study that it belongs to
RUN_AT = "stillhouse.run_at"  # of a study's run: when `run` or `sync` last wrote it, in milliseconds since 1970
PART = "stillhouse.part"  # of a study's run: one of several that are run under one name, not a version of the others
TEST_DATA = "stillhouse.test_digest"  # of a trial: of the test split that its metrics below test/ were measured on
PARENT = "mlflow.parentRunId"  # MLflow's own pages nest runs by it, and it holds one run only
KIND_OF_WORK = "mlflow.experimentKind"  # of an experiment: MLflow's pages show runs, charts and models by it, or traces
TRAINING = "custom_model_development"  # MLflow's name for the training of models
