"""List faults that simulated schedules have to find: those that were found before, and others of their kind."""

from tests.simulation.planting import Plant

EXECUTION, GROUPS, CORE = "orchestrator.execution", "orchestrator.worker_groups", "orchestrator.core"
SEARCH, TRACKING, SERVICE = "orchestrator.search", "orchestrator.tracking", "orchestrator.service"

FAULTS = (
    # the six that random kills have found
    Plant(
        "head", "Ray's head or raylet dies, and the command goes on", "runs", f"{EXECUTION}.ray_watch",
        "gone = dead_process(known)", "gone = None",
    ),
    Plant(
        "actors", "the actors of a killed command go on beside the next one", "runs", f"{EXECUTION}.ownership",
        "        end_marked(driver, spared=frozenset())\n", "",
    ),
    Plant(
        "agents", "Ray's agents outlive the command", "runs", f"{EXECUTION}.ray_watch",
        "    end_marked(this_process().identity, spared=frozenset())\n", "",
    ),
    Plant(
        "states", "a trial that was killed behind its outcome keeps its states", "runs", f"{EXECUTION}.run",
        "                tidy_over(trial.directory)", "                pass",
    ),
    Plant(
        "temporary", "temporary files of a killed command stay", "runs", f"{EXECUTION}.ownership",
        "        remove_scratch(scratch)\n", "",
    ),
    Plant(
        "places", "the placement group of a dead host stays", "hosts", f"{GROUPS}.host",
        "            free_places(self.name)", "            pass",
    ),
    # those that simulated schedules have found
    Plant(
        "behind-last", "a worker dies behind the last record, and nobody ends the trial", "hosts", f"{GROUPS}.records",
        "        del history[-1]", "        pass",
    ),
    Plant(
        "two-hosts", "a new broker gives away trials that are being trained", "hosts", f"{GROUPS}.pool",
        "            self._begin_anew()", "            ray.get(self.broker.begin.remote())",
    ),
    Plant(
        "late-question", "a dead host is given a cohort", "hosts", f"{GROUPS}.broker",
        "        if host in self._ended:\n            return []\n", "",
    ),
    Plant(
        "silent-driver", "a driver that fell silent still has the store when the next begins", "service",
        f"{SERVICE}.reconcile_loop", "        return not may_write(self.cluster.job(entry.id)) or time", "        return True or time",
    ),
    Plant(
        "outcome-first", "records are read before the outcome", "tracking", f"{TRACKING}.tracker",
        "        outcome = read_outcome(trial.directory)\n        history = read_history(trial.directory)",
        "        history = read_history(trial.directory)\n        outcome = read_outcome(trial.directory)",
    ),
    Plant(
        "late-note", "the note of temporary files goes before the folder", "runs", f"{EXECUTION}.ownership",
        "            yield\n    finally:\n        note.unlink(missing_ok=True)\n",
        "            yield\n            note.unlink(missing_ok=True)\n    finally:\n        pass\n",
    ),
    # others of their kind
    Plant(
        "fence", "files are written beside the fence", "jobs", "trainers.schema.atomic",
        "    fence = fence_of(target.parent)\n    partial", "    fence = None\n    partial",
    ),
    Plant(
        "claim", "a lease is taken from a holder that lives", "jobs", f"{CORE}.leases",
        'if child is None or not (_owner(child) == FREE or self._is_silent(name, child)):', "if child is None:",
    ),
    Plant(
        "history", "the history is published before the state", "jobs", "trainers.state.checkpoints",
        '        step = state["step"]\n        content', '        step = state["step"]\n        self.publish(history)\n        content',
    ),
    Plant(
        "over", "a trial that is over is claimed once more", "jobs", f"{EXECUTION}.claims",
        "return status != PAUSED and not is_over(status)", "return status != PAUSED",
    ),
    Plant(
        "repeated", "a reader that comes again hears a record twice", "hosts", f"{GROUPS}.queue",
        "if record.step > slot.after and self._trains", "if self._trains",
    ),
    Plant(
        "late-leave", "a reader that was replaced ends the slot of the next", "hosts", f"{GROUPS}.queue",
        "if slot is not None and lease_id in (None, slot.lease_id):", "if slot is not None:",
    ),
    Plant(
        "judged", "a host begins an epoch before the last one is judged", "hosts", f"{GROUPS}.broker",
        "while not self._queue.judged(trial_ids):", "while False:",
    ),
    Plant(
        "torn", "a decision is added behind a torn line", "search", "orchestrator.plan.journal",
        "                file.truncate(sum(map(len, self._lines())))", "                pass",
    ),
    Plant(
        "stopped", "a trial that was stopped before a death goes on", "search", f"{SEARCH}.scheduler",
        "        if state.over:\n            return STOP\n", "",
    ),
    Plant(
        "told", "a search is told a point's result again", "search", f"{SEARCH}.suggestions",
        "        self._open.pop(number, None)\n", "",
    ),
    Plant(
        "compare-and-swap", "a study is moved from a state that it has left", "service", f"{SERVICE}.queue",
        '"where key = ? and state = ? and attempt = ?",', '"where key = ? or state = ? and attempt = ?",',
    ),
    Plant(
        "not-again", "a delivery that failed is not tried again", "tracking", f"{TRACKING}.flusher",
        "            self._changed = self._changed | again if trial_id == FINISH else again | self._changed\n", "",
    ),
    Plant(
        "status-first", "MLflow hears of a trial's end before its best values", "tracking", f"{TRACKING}.tracker",
        "            self._send(copy, best_points(history))\n            self._write_files(client, written, trial)\n"
        '            if outcome.status != "failed":  # the next run goes on with it\n'
        "                link_models(client, self._experiment, copy.run_id, trial, history, STUDENT_FOLDER)\n"
        "            client.log_batch(copy.run_id, tags=[RunTag(tag, value) for tag, value in wanted.items()])\n"
        "            client.set_terminated(copy.run_id, MLFLOW_STATUS[outcome.status])\n",
        "            client.log_batch(copy.run_id, tags=[RunTag(tag, value) for tag, value in wanted.items()])\n"
        "            client.set_terminated(copy.run_id, MLFLOW_STATUS[outcome.status])\n"
        "            self._send(copy, best_points(history))\n            self._write_files(client, written, trial)\n",
    ),
    Plant(
        "side-by-side", "two studies of a service use the store at once", "service", f"{SERVICE}.reconcile_loop",
        "        if not any(entry.state in BUSY for entry in self.queue.entries()):", "        if True:",
    ),
    Plant(
        "free-by-now", "a job does not wait for a trial that came free during its look", "jobs", f"{EXECUTION}.claims",
        "if not self.leases.is_free(trial.id) or self._is_due(trial, self.leases.number(trial.id)):",
        "if not self.leases.is_free(trial.id):",
    ),
    Plant(
        "killed-and-stopped", "a trial is stopped for good while the actor of a killed job goes on", "jobs",
        f"{EXECUTION}.trial_requests", "            end_killed_runs(store)", "            pass",
    ),
    Plant(
        "dead-cohort", "a cohort that a dead host got stays with it", "hosts", f"{GROUPS}.broker",
        "        self._change(lambda: self._queue.requeue(host))\n        return self._hosts",
        "        return self._hosts",
    ),
)  # fmt: skip
