"""The service as its clients meet it: the commands' client, a browser's stream of events, somebody without a token."""

import json
from types import SimpleNamespace

import httpx
import pytest
from fastapi.testclient import TestClient

from orchestrator.api import Study
from orchestrator.commands.stop import how_it_stops
from orchestrator.commands.submission import print_result
from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.store import Store
from orchestrator.submit.service_client import Remote
from orchestrator.submit.shipment import LARGEST
from orchestrator.submit.states import SubmissionState
from tests.unit.orchestrator.service.served import STUDY, TOKEN, Served
from tests.unit.orchestrator.submit.job_requests import said
from trainers.schema.request import Request, read_request

GUARDED = [
    ("POST", "/api/key"), ("POST", "/api/submissions"), ("GET", "/api/submissions"), ("GET", "/api/submissions/x"),
    ("POST", "/api/submissions/x/stop"), ("POST", "/api/trials"), ("GET", "/api/submissions/x/logs"), ("GET", "/api/events"),
]  # fmt: skip


@pytest.fixture
def served(tmp_path):
    return Served(tmp_path)


@pytest.fixture
def http(served):
    return TestClient(served.app, headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.fixture
def remote(http, monkeypatch):
    """The commands' client, with the test client below it."""
    monkeypatch.setenv("STILLHOUSE_TOKEN", TOKEN)
    found = Remote("http://service")
    found._client = http
    return found


@pytest.fixture
def job_request(tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY)
    return Study.load(tmp_path / "study.yaml").job_request(tmp_path / "elsewhere")


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("token", ["", "Bearer", "Bearer wrong", "Bearer ü", "Basic dXNlcjpwYXNz"])
def test_without_the_token_nothing_is_told(served, method, path, token):
    headers = {"Authorization": token.encode()} if token else {}
    answer = TestClient(served.app).request(method, path, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "the service requires its token"}


def test_every_path_but_health_is_guarded(served):
    paths = {(method.upper(), path) for path, found in served.app.openapi()["paths"].items() for method in found}
    assert paths - {("GET", "/health")} == {(m, p.replace("/x", "/{name}")) for m, p in GUARDED}
    assert TestClient(served.app).get("/health").json() == {"ok": True}


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_is_json_whatever_its_header_says(http, kind):
    headers = {"content-type": kind} if kind else {}
    answer = http.post("/api/submissions", content=json.dumps({"files": {"study.yaml": STUDY}}), headers=headers)
    assert answer.status_code == 202
    assert answer.json()["new"]


def test_a_study_goes_through_its_life(served, remote, job_request):
    first, second = remote.submit(job_request), remote.submit(job_request)
    assert (first.new, second.new) == (True, False)
    assert first.submission.state == SubmissionState.QUEUED
    served.step()
    key = first.submission.key
    assert remote.status(key).id == f"{key}-1"
    served.ray.say(f"{key}-1", logs="epoch 1\n")
    assert remote.logs(key) == "epoch 1\n"
    served.records.write(said(f"{key}-1", SubmissionState.FAILED, "the teacher failed"))
    served.step()
    with pytest.raises(UserError, match=r"the teacher failed.*stillhouse resume"):
        remote.submit(job_request)
    assert remote.resume(job_request).submission.state == SubmissionState.QUEUED
    served.step()
    served.records.write(said(f"{key}-2", SubmissionState.FINISHED, "all trials have ended"))
    served.step()
    [last] = remote.all()
    assert (last.state, last.attempt) == (SubmissionState.FINISHED, 2)
    with pytest.raises(UserError, match="nothing to stop"):
        remote.stop(key)


def test_submitting_and_resuming_answer_by_how_the_study_stands(http):
    sent = {"files": {"study.yaml": STUDY}}
    answer = http.post("/api/submissions", json={**sent, "resume": True})
    assert (answer.status_code, http.get("/api/submissions").json()) == (404, {"submissions": []})
    assert answer.json() == {"detail": "tiny was never submitted to this service: stillhouse submit does that"}
    key = http.post("/api/submissions", json=sent).json()["key"]
    http.post(f"/api/submissions/{key}/stop")
    again = http.post("/api/submissions", json=sent)
    assert again.status_code == 409
    assert again.json()["detail"].endswith(
        "was stopped (stopped while queued): stillhouse resume starts another attempt"
    )
    assert http.post("/api/submissions", json={**sent, "resume": True}).status_code == 202


def test_findings_name_the_files_that_were_sent(http):
    text = STUDY.replace("kind: shapes", "kind: shapes, sede: 3").replace(
        "mmdet::gfl/gfl_r50_fpn_1x_coco.py", "none.py"
    )
    answer = http.post("/api/submissions", json={"files": {"study.yaml": text}, "trust_config": True})
    assert answer.status_code == 422
    assert answer.json()["detail"].splitlines() == [
        "study.yaml:3: dataset.sede: unknown key (did you mean seed?)",
        "study.yaml:4: student.config: no such file: none.py",
    ]


def test_a_study_is_found_by_itself_though_the_client_has_another_store(remote, job_request):
    key = remote.submit(job_request).submission.key
    assert key != job_request.key
    assert remote.key_of(job_request) == key


def test_whoever_asks_while_the_cluster_is_away_is_told(served, remote, job_request, capsys):
    served.service.obstacle.reason = "the cluster is away"
    sent = remote.submit(job_request)
    assert sent.submission.reason == "accepted; it waits: the cluster is away"
    print_result(sent, as_json=False)
    assert "queued tiny: accepted; it waits: the cluster is away" in capsys.readouterr().out
    entry = served.queue.entry(sent.submission.key)
    served.queue.move(entry, SubmissionState.SUBMITTED, "its turn has come")
    assert how_it_stops(remote.stop(entry.key)).startswith("asked to stop; it waits: the cluster is away; trials")
    assert [one.reason for one in remote.all()] == [remote.status(entry.key).reason]
    assert remote.status(entry.key).reason == "asked to stop; it waits: the cluster is away"
    served.service.obstacle.reason = ""
    served.step()
    assert how_it_stops(remote.status(entry.key)) == remote.status(entry.key).reason
    assert remote.status(entry.key).state == SubmissionState.STOPPED
    served.service.obstacle.reason = "the cluster is away"
    assert "away" not in remote.status(entry.key).reason  # nothing is awaited any more


def test_one_that_waits_is_stopped_without_asking_the_cluster(served, remote, job_request):
    key = remote.submit(job_request).submission.key
    assert remote.stop(key).state == SubmissionState.STOPPED
    served.step()
    assert served.ray.starts == []


def test_one_trial_is_asked_for_from_the_clients_machine(served, remote, job_request):
    [trial] = planned(served.store).trials
    with pytest.raises(UserError, match="the service has no submission"):
        remote.ask_about_trial(job_request, trial.id, Request.PAUSE)
    remote.submit(job_request)
    asked = remote.ask_about_trial(job_request, trial.id[:6], Request.PAUSE)
    assert (asked.trial, asked.at_once, read_request(trial.directory)) == (trial.id, True, Request.PAUSE)
    with Store(served.store).only_run():  # the driver of the study has the store
        asked = remote.ask_about_trial(job_request, trial.id, Request.RESUME)
    assert (asked.at_once, read_request(trial.directory)) == (False, Request.RESUME)
    assert "asked to go on" in str(asked)


@pytest.mark.parametrize(
    ("trial", "verb", "sentence"),
    [("ffffffffffff", Request.STOP, "no trial begins with ffffffffffff"), ("", Request.RETRY, "body.trial: must not be empty"),
     ("whole", Request.RESUME, "is new, not paused")],
)  # fmt: skip
def test_a_request_that_does_not_fit_is_a_sentence(served, remote, job_request, trial, verb, sentence):
    remote.submit(job_request)
    [planned_trial] = planned(served.store).trials
    with pytest.raises(UserError, match=sentence):
        remote.ask_about_trial(job_request, planned_trial.id if trial == "whole" else trial, verb)
    assert not planned_trial.directory.exists()


def test_unknown_requests_and_studies_write_nothing(served, http):
    sent = {"files": {"study.yaml": STUDY}, "trial": "../../x", "request": "stop"}
    http.post("/api/submissions", json={"files": sent["files"]})
    for wrong in ({}, {"request": "delete"}, {"trial": "/etc"}, {"trial": "x" * 65}, {"trial": 5}):
        assert http.post("/api/trials", json=sent | wrong).status_code == 422
    assert not (served.store / "trials").exists()


@pytest.mark.parametrize(
    ("path", "wrong", "says"),
    [
        ("/api/submissions", {"files": None}, "body.files: expected a mapping, got nothing (null)"),
        ("/api/submissions", {"file": {}}, "body.file: unknown key (did you mean files?)"),
        ("/api/submissions", {"files": {}}, "body.files: must have at least 1 item, got 0"),
        ("/api/submissions", {"files": {"study.yaml": 5}}, "body.files.study.yaml: expected text, got 5"),
        ("/api/key", {"trust_config": "yes"}, "body.trust_config: expected true or false, got text 'yes'"),
        (
            "/api/key",
            {"files": {"x": ""}},
            "body.files: a study file cannot be named 'x': name it study.yaml, or configs/",
        ),
        ("/api/trials", {"request": "delete"}, "body.request: must be stop, pause, resume or retry, got text 'delete'"),
        ("/api/trials", {"trial": 5}, "body.trial: expected text, got 5"),
        ("/api/trials", {"trial": "x" * 65}, "body.trial: must have at most 64 characters, got 65"),
        ("/api/trials", {"trial": ""}, "body.trial: must not be empty"),
    ],
)
def test_a_wrong_request_is_told_by_its_key_and_what_to_do(path, wrong, says, http):
    sent = {"files": {"study.yaml": STUDY}} | ({"trial": "x", "request": "stop"} if path == "/api/trials" else {})
    answer = http.post(path, json=sent | wrong)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    for word in ("Input should", "Value error", "String should", "Extra inputs", "Field required"):
        assert word not in answer.json()["detail"]


def test_a_request_that_lacks_its_parts_is_told(http):
    assert http.post("/api/trials", json={}).json()["detail"].splitlines() == [
        f"body.{key}: this key is required" for key in ("files", "trial", "request")
    ]
    assert http.post("/api/key").json()["detail"].startswith("body: expected JSON, such as")
    assert http.post("/api/key", json=[1]).json()["detail"] == "body: expected a mapping, got a list of 1"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("after=x", "query.after: expected a whole number, got text 'x'"),
        ("after=-1", "query.after: must be at least 0, got text '-1'"),
        ("follow=maybe", "query.follow: expected true or false, got text 'maybe'"),
    ],
)
def test_a_wrong_parameter_is_told_by_its_name(query, says, http):
    answer = http.get(f"/api/events?{query}")
    assert (answer.status_code, answer.json()["detail"].splitlines()[0][: len(says)]) == (422, says)


def planned(store):
    (store.parent / "planned.yaml").write_text(STUDY)
    return Study.load(store.parent / "planned.yaml").plan(store)


def test_what_is_wrong_with_a_study_is_said_by_file_and_line(http):
    answer = http.post("/api/submissions", json={"files": {"study.yaml": STUDY.replace("epochs", "epoch")}})
    assert answer.status_code == 422
    assert "study.yaml:6: schedule.epoch" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "configs/0123abcd/../../x", "configs/0123abcd/.x", "x.yaml"])
def test_names_of_files_lead_nowhere_else(http, name):
    answer = http.post("/api/submissions", json={"files": {"study.yaml": STUDY, name: ""}})
    assert answer.status_code == 422


def test_files_that_the_study_does_not_name_are_refused(served, http):
    named, other = "configs/0123abcd/own.py", "configs/0123abcd/other.py"
    study = STUDY.replace("mmdet::gfl/gfl_r50_fpn_1x_coco.py", named)
    answer = http.post("/api/submissions", json={"files": {"study.yaml": study, named: "", other: ""}})
    assert answer.status_code == 422
    assert f"study.yaml does not name {other}" in answer.json()["detail"]
    assert served.queue.entries() == []


def test_all_files_together_are_bounded(http):
    files = {"study.yaml": STUDY} | {f"configs/0123abcd/{n}.py": "#" * (LARGEST // 4) for n in range(4)}
    answer = http.post("/api/key", json={"files": files})
    assert (answer.status_code, "more than 8 MiB" in answer.json()["detail"]) == (422, True)


def test_a_study_cannot_make_the_service_read_its_own_files(http, tmp_path):
    (tmp_path / "private.yaml").write_text("password: hunter2\n")
    base = f"base: {tmp_path / 'private.yaml'}\n"
    answer = http.post("/api/submissions", json={"files": {"study.yaml": base + STUDY}})
    assert answer.status_code == 422
    assert "hunter2" not in answer.text
    assert "cannot have base" in answer.json()["detail"]


def test_a_full_queue_is_a_sentence(served, http, remote, job_request):
    for number in range(3):
        text = STUDY.replace("epochs: 4", f"epochs: {number + 5}")
        assert http.post("/api/submissions", json={"files": {"study.yaml": text}}).status_code == 202
    with pytest.raises(OperationError, match=r"the queue is full \(3 studies wait\)"):
        remote.submit(job_request)
    assert len(served.queue.entries()) == 3


def test_events_are_streamed_with_numbers_to_go_on_after(http, remote, job_request, served):
    remote.submit(job_request)
    served.step()
    assert [event["after"] for event in events(http)] == ["queued", "submitted", "running"]
    assert [event["after"] for event in events(http, after=1)] == ["submitted", "running"]
    assert [event["after"] for event in events(http, headers={"Last-Event-ID": "2"})] == ["running"]
    assert [event["after"] for event in http.get(f"/api/submissions/{order_key(http)}").json()["events"]] == [
        "queued", "submitted", "running",
    ]  # fmt: skip


def order_key(http):
    return http.get("/api/submissions").json()["submissions"][0]["key"]


def events(http, after=0, headers=None):
    text = http.get("/api/events", params={"follow": False, "after": after}, headers=headers).text
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.strip().split("\n\n")]
    assert [int(block["id"]) for block in blocks] == [json.loads(block["data"])["number"] for block in blocks]
    return [json.loads(block["data"]) for block in blocks]


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        (httpx.Response(401, json={"detail": "x"}), UserError, "refuses this token: STILLHOUSE_TOKEN"),
        (httpx.Response(200, text="<html>"), OperationError, "no Stillhouse service answers"),
        (httpx.Response(502, json=["x"]), OperationError, "answers 502"),
        (httpx.ConnectError("refused"), OperationError, "no Stillhouse service answers at http://service: refused"),
    ],
)
def test_the_client_says_what_is_wrong_in_one_sentence(answer, kind, sentence):
    def reply(request):
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(kind, match=sentence):
        Remote("http://service", httpx.MockTransport(reply)).all()


def test_what_the_service_decides_cannot_be_sent(remote, job_request):
    wanted = SimpleNamespace(**{**vars(job_request), "python": "/opt/python"})
    with pytest.raises(UserError, match="stillhouse serve"):
        remote.submit(wanted)
