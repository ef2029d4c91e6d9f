"""Secrets do not survive in text that is printed, logged or recorded; ordinary text does."""

import json
import os
from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.redact import HIDDEN, first_line, has_password, is_secret_name, redacted, redacted_data

WORD = st.text("abcdefghijklmnopqrstuvwxyzABCDEF0123456789", min_size=1, max_size=12)
PASSWORD = st.text("abcXYZ0189!$%^*()_+-=:/@.~", min_size=1, max_size=20).map(lambda text: f"pW9{text}9Wp")


@pytest.fixture(autouse=True, scope="module")
def bare() -> Iterator[None]:
    """Run with an environment that holds no secret of anybody."""
    with mock.patch.dict(os.environ, {"PATH": os.environ["PATH"]}, clear=True):
        yield


@given(st.sampled_from(["postgresql", "https", "mysql+pymysql", "http"]), WORD, PASSWORD, WORD, WORD)
def test_password_of_an_address_is_hidden(scheme: str, user: str, password: str, host: str, path: str) -> None:
    text = redacted(f"cannot reach {scheme}://{user}:{password}@{host}:5432/{path} now")
    assert password not in text
    assert f"@{host}:5432/{path} now" in text
    assert text.startswith(f"cannot reach {scheme}://")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("https://ghp_abcdef0123@host/x", "ghp_abcdef0123"),
        ("postgresql://host/db?user=me&password=hunter2&sslmode=on", "hunter2"),
        ("https://host/blob?sv=1&sig=a%2Fb%3D", "a%2Fb%3D"),
        ("mssql+pyodbc:///?odbc_connect=DRIVER%3DX;UID%3Dsa;PWD%3Dhunter2", "hunter2"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI", "wJalrXUtnFEMI"),
        ("sent Authorization: Bearer eyJhbGciOi.J9-x_y", "eyJhbGciOi.J9-x_y"),
        ("sent Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ],
)
def test_secret_is_hidden(text: str, secret: str) -> None:
    assert secret not in redacted(text)
    assert redacted(text) != ""


@pytest.mark.parametrize(
    "text",
    [
        "s.yaml:3: method.alpha1: must be at most 1000, got 1e9",
        "no MLflow server answers at http://127.0.0.1:5000: refused",
        "sqlite:////home/me/store/mlflow.db",
        "mail me@example.org",
        "https://host/a/b?x=1#y",
        "bckd method.alpha2=4.0 schedule.lr=0.01 seed=3",
        "expected key=value, as in method.alpha1=2",
        "/data/@archive/coco",
        "basic training of 12 epochs",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redacted(text) == text
    assert not has_password(text)


@pytest.mark.parametrize("key", ["password", "passwd", "passphrase", "secret", "token", "api_key", "api-key", "apikey",
                                 "access_key", "access-key", "accesskey", "credential", "signature", "pwd", "db.password",
                                 "MY_TOKEN_2", "x-amz-signature", "Pwd"])  # fmt: skip
@pytest.mark.parametrize("sign", ["=", "%3D", "%3d"])
def test_a_value_is_hidden_behind_every_name_of_a_setting(key: str, sign: str) -> None:
    assert redacted(f"given {key}{sign}hunter2, then x=1") == f"given {key}{sign}{HIDDEN}, then x=1"
    assert has_password(f"{key}{sign}hunter2")


@pytest.mark.parametrize("key", ["pwd", "sig", "key", "auth"])
@pytest.mark.parametrize("before", ["?", "&", ";"])
def test_short_names_hide_their_values_in_addresses(key: str, before: str) -> None:
    assert redacted(f"https://host/a{before}{key}=hunter2&x=1") == f"https://host/a{before}{key}={HIDDEN}&x=1"


@pytest.mark.parametrize("end", [" ", "&", ";", ",", "'", '"', "}", "]", ")"])
def test_a_value_ends_where_its_text_does(end: str) -> None:
    assert redacted(f"token=hunter2{end}stays") == f"token={HIDDEN}{end}stays"


@pytest.mark.parametrize("value", ["disabled", "Required", "optional", "/run/agent.1", "~/agents", "./agents"])
def test_choices_and_places_in_variables_named_like_secrets_stay(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SOME_AUTH", value)
    assert redacted(f"with {value} here") == f"with {value} here"


def test_a_variable_of_eight_characters_is_hidden_and_one_of_seven_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "abcdefgh")
    monkeypatch.setenv("B_TOKEN", "ijklmno")
    assert redacted("abcdefgh ijklmno") == f"{HIDDEN} ijklmno"


def test_values_of_secret_variables_are_hidden_wherever_they_appear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef")
    monkeypatch.setenv("OTHER_TOKEN", "0123456789abcdef-longer")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/user/1/agent")
    monkeypatch.setenv("STILLHOUSE_DATA", "/data/everything")
    monkeypatch.setenv("FAVOURITE_METHOD", "distillation")
    text = redacted("x0123456789abcdefx 0123456789abcdef-longer /run/user/1/agent /data/everything distillation")
    assert text == "x***x *** /run/user/1/agent /data/everything distillation"


def test_data_is_redacted_all_the_way_down() -> None:
    data = {"tracking": {"uri": "https://me:hunter2@host", "tags": {"x": ["token=hunter2", 1, None, True]}}}
    clean = redacted_data(data)
    assert "hunter2" not in json.dumps(clean)
    assert clean == {"tracking": {"uri": "https://***@host", "tags": {"x": ["token=***", 1, None, True]}}}


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(WORD, inner))
)
def test_data_keeps_its_shape(data: object) -> None:
    clean = redacted_data(data)  # type: ignore[arg-type]
    assert type(clean) is type(data)
    assert redacted_data(clean) == clean


@pytest.mark.parametrize(
    "name",
    ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "MLFLOW_TRACKING_PASSWORD", "GITHUB_TOKEN", "PGPASSWORD", "DB_PWD",
     "HF_TOKEN", "OPENAI_API_KEY", "SSH_PRIVATE_KEY", "RAY_AUTH_TOKEN", "NETRC_CREDENTIALS", "MYSQL_PWD", "SENTRY_DSN",
     "AWS_ACCESS_KEY_ID", "db_pass",
     # each kind of name where no other kind applies, and where words are joined
     "SECRETS", "TOKENS", "PASSWORDS", "ROOT_PASSWD", "GPG_PASSPHRASE_FILE", "PASS_OF_DB", "pass", "CREDENTIAL",
     "PRIVATEKEY", "PRIVATE_KEYS", "APIKEY", "API_KEYS", "ACCESSKEY", "ACCESS_KEYS", "HTTP_AUTH_HEADER", "AUTH",
     "COOKIES", "SESSIONKEY", "SESSION_KEYS", "URL_SIGNATURES", "SIGNING_KEY"],
)  # fmt: skip
def test_secrets_are_known_by_name(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["HOME", "STILLHOUSE_DATA", "DATA", "SCRATCH", "TMPDIR", "USER", "PWD", "OLDPWD", "KEYBOARD", "AUTHOR", "BYPASS_DIR",
     "COMPASS", "PASSES", "MONKEY", "AUTHORS", "DB_PWD_FILE", "SENTRY_DSN_FILE", "KEY", "FOREIGN_KEY_CHECKS"],
)  # fmt: skip
def test_places_are_no_secrets(name: str) -> None:
    assert not is_secret_name(name)


def test_the_first_line_of_an_error_holds_no_part_of_a_secret_of_two_lines(monkeypatch):
    monkeypatch.setenv("SIGNING_SECRET", "first-half\nsecond-half")
    assert first_line(OSError("refused: first-half\nsecond-half")) == f"refused: {HIDDEN}"
