"""Decide which trials can train side by side: on the same batches, in the same order, in one worker group."""

import hashlib
import json

from trainers.schema.trial import Job


def stream_key(job: Job) -> str:
    """Return the key that trials must share to use one data stream, as 12 hexadecimal digits.

    That is all of which the batches are functions: the dataset section, the seed, the batch size and the epoch from which
    images are mixed with no others; the teacher that looks at them; and how a worker puts them through its students. Method,
    weights, learning rate, length and student architecture may differ. Segments share with those that end at
    the same barrier: one that trained on would keep the worker group from the next generation.
    """
    trial, placement = job.trial, job.placement
    shared = {
        "dataset": trial.dataset.model_dump(mode="json"),
        "seed": trial.seed,
        "batch_size": trial.schedule.batch_size,
        "closing_epoch": trial.schedule.closing_epoch,
        "teacher": job.beside.model_dump(mode="json") if job.beside else None,
        "barrier": trial.segment.until_epoch if trial.segment else None,
        "placement": placement.model_dump(mode="json"),
    }
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:12]
