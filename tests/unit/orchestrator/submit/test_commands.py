"""The commands about submissions, as they are typed: what they print, and their exit codes."""

import json

import pytest

from orchestrator import Study
from orchestrator.cli import main
from orchestrator.submit import connect, logs
from orchestrator.submit.cluster import RayCluster
from orchestrator.submit.record import JobRecords
from orchestrator.submit.states import SubmissionState
from tests.clock import own_clock
from tests.unit.orchestrator.submit.fake_ray import FakeRay
from tests.unit.orchestrator.submit.job_requests import said

STUDY = """
name: tiny
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 4, policy: {kind: constant}}
"""
ADDRESS = "http://head:8265"


@pytest.fixture
def ray(tmp_path, monkeypatch):
    """A cluster that is a folder, a study, and a store, all named by the environment."""
    fake = FakeRay(tmp_path / "ray")
    monkeypatch.setattr(connect, "RayCluster", lambda address: RayCluster(address, fake.transport))
    monkeypatch.setattr(logs, "LOOK_S", 0)
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", ADDRESS)
    monkeypatch.setenv("STILLHOUSE_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("STILLHOUSE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(STUDY)
    return fake


@pytest.fixture
def say(capsys):
    def run(*words):
        code = main(list(words))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def submitted(say):
    code, out, err = say("submit", "study.yaml", "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_study_or_an_id_names_a_submission(ray, say):
    found = submitted(say)
    assert (found["id"], found["study"], found["state"], found["new"]) == (
        f"{found['key']}-1",
        "tiny",
        "submitted",
        True,
    )
    for name in ("study.yaml", found["id"], found["key"]):
        assert json.loads(say("status", name, "--json")[1])["id"] == found["id"]


def test_another_study_or_another_store_is_another_submission(ray, say):
    first = submitted(say)["key"]
    other = json.loads(say("submit", "study.yaml", "--set", "schedule.epochs=5", "--json")[1])["key"]
    elsewhere = json.loads(say("submit", "study.yaml", "--store", "elsewhere", "--json")[1])["key"]
    assert len({first, other, elsewhere}) == 3
    assert say("submit", "study.yaml", "--set", "schedule.epochs=4")[1].startswith(f"{first}-1: nothing to start")


@pytest.mark.parametrize("verb", ["status", "stop", "logs"])
def test_a_study_that_was_submitted_otherwise_is_named_with_how_to_ask_for_it(ray, say, verb):
    code, _, err = say(verb, "study.yaml")
    assert code == 2
    assert "tiny (study.yaml) was never submitted as it is given here: stillhouse list shows all" in err
    short = json.loads(say("submit", "study.yaml", "--fidelity", "short", "--json")[1])
    code, _, err = say(verb, "study.yaml")
    assert code == 2
    assert f"tiny (study.yaml) was never submitted as it is given here: --set fidelity=short means {short['id']}" in err
    assert "stillhouse-" not in err.replace(short["id"], "")
    assert say("status", "study.yaml", "--set", "fidelity=short")[0] == 0
    other = json.loads(say("submit", "study.yaml", "--set", "schedule.epochs=5", "--json")[1])["id"]
    assert f"{other} (submitted) is one of its name with other settings" in say(verb, "study.yaml")[2]
    first = submitted(say)["id"]
    assert say("status", "study.yaml")[1].startswith(first), "others of its name do not stand in its way"
    assert "--set fidelity=full means" in say(verb, "study.yaml", "--set", "fidelity=smoke")[2]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (SubmissionState.FINISHED, 0),
        (SubmissionState.RUNNING, 0),
        (SubmissionState.STOPPED, 0),
        (SubmissionState.FAILED, 1),
    ],
)
def test_status_tells_scripts_by_its_exit_code(ray, say, tmp_path, state, code):
    found = submitted(say)
    JobRecords(tmp_path / "store").write(said(found["id"], state, "why it is so"))
    assert say("status", "study.yaml")[:2] == (code, f"{found['id']}  {state}  tiny  why it is so\n")


def test_a_followed_log_goes_on_to_its_end(ray, say, tmp_path, monkeypatch):
    found = submitted(say)
    ray.say(found["id"], logs="epoch 1\n")

    def look(_):
        ray.say(found["id"], logs="epoch 1\nepoch 2 \x1b[31m\n")
        JobRecords(tmp_path / "store").write(said(found["id"], SubmissionState.FINISHED, "all trials have ended"))

    own_clock(monkeypatch, logs, sleep=look)
    code, out, err = say("logs", "-f", "study.yaml")
    assert (code, out) == (0, "epoch 1\nepoch 2 \\x1b[31m\n")
    assert "finished (all trials have ended)" in err


def test_what_has_ended_cannot_be_stopped(ray, say, tmp_path):
    found = submitted(say)
    JobRecords(tmp_path / "store").write(said(found["id"], SubmissionState.FINISHED, "done"))
    code, _, err = say("stop", "study.yaml")
    assert (code, err) == (2, f"stillhouse: {found['id']} has finished (done): nothing to stop\n")


DRIVER_ON = ("safe=much", "=3", "=", " =1", "safe=", "safe=nan", "safe=inf", "safe=0", "safe=-1")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["submit", "study.yaml", "--store", "s3://bucket/x"], "the store is a folder"),
        (["submit", "study.yaml", "--env", "MLFLOW_TRACKING_PASSWORD=hunter22"], "Ray shows a job's variables"),
        (["submit", "study.yaml", "--env", "NAME"], "NAME=VALUE"),
        *((["submit", "study.yaml", "--driver-on", word], "NAME=AMOUNT") for word in DRIVER_ON),
        (["submit", "study.yaml", "--address", "ray://head:10001"], "http://HOST:8265"),
        (["status", "nobody.yaml"], "neither a study's file nor the id"),
        (["logs", "-f", "--json", "study.yaml"], "use only one of them"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(ray, say, words, sentence):
    code, out, err = say(*words)
    assert (code, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert "hunter22" not in err
    assert ray.starts == []


def test_without_any_address_the_ways_to_give_one_are_named(ray, say, monkeypatch):
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS")
    code, _, err = say("list")
    assert code == 2
    assert "--address" in err
    assert "STILLHOUSE_URL" in err


def test_python_says_the_same_as_the_commands(ray, say, tmp_path):
    study = Study.load("study.yaml", ["search.seeds=[0, 1]"])
    assert len(study.plan().trials) == 2
    assert study.check() == ()
    result = study.submit(ADDRESS, tmp_path / "store")
    assert result.new
    assert not study.submit(ADDRESS).new
    status = json.loads(say("status", "study.yaml", "--set", "search.seeds=[0, 1]", "--json")[1])
    assert status["id"] == result.submission.id


def test_a_service_without_a_token_does_not_start(say, monkeypatch, tmp_path):
    monkeypatch.setenv("STILLHOUSE_TOKEN", "short")
    code, _, err = say("serve", "--address", ADDRESS, "--store", str(tmp_path))
    assert code == 2
    assert "STILLHOUSE_TOKEN" in err


@pytest.mark.parametrize("token", ["schlüssel-der-brennerei", "sixteen-letters-\n", "sixteen\tletters-and-more"])
@pytest.mark.parametrize("words", [("serve", "--address", ADDRESS), ("list",)], ids=["serve", "list"])
def test_a_token_that_no_header_can_carry_is_refused(say, monkeypatch, tmp_path, words, token):
    monkeypatch.setenv("STILLHOUSE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("STILLHOUSE_TOKEN", token)
    code, _, err = say(*words, "--store", str(tmp_path))
    assert code == 2
    assert "STILLHOUSE_TOKEN may hold ASCII letters, digits and punctuation only" in err


@pytest.mark.parametrize(
    ("address", "said", "exit_code"),
    [
        ("127.0.0.1:1", "no Stillhouse service answers at http://127.0.0.1:1: ", 1),
        ("ftp://host", "ftp://host is no address for STILLHOUSE_URL: a service listens at http://HOST:8270", 2),
        ("http://", "is no address for STILLHOUSE_URL: a service listens at http://HOST:8270", 2),
    ],
)
def test_a_services_address_may_lack_its_scheme(say, monkeypatch, address, said, exit_code):
    monkeypatch.setenv("STILLHOUSE_URL", address)
    code, _, err = say("list")
    assert said in err
    assert code == exit_code
