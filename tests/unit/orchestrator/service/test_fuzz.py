"""Whatever is sent to the service, it answers as its description says and never with an error of its own."""

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.examples import examples
from tests.unit.orchestrator.service.served import STUDY, TOKEN, Served

AS_DESCRIBED = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EVENTS = "/api/events"
PATHS = [
    ("POST", "/api/key"), ("POST", "/api/submissions"), ("GET", "/api/submissions"), ("GET", "/api/submissions/{name}"),
    ("POST", "/api/submissions/{name}/stop"), ("POST", "/api/trials"), ("GET", "/api/submissions/{name}/logs"), ("GET", EVENTS), ("GET", "/health"),
]  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A service with a study under way."""
    found = Served(tmp_path_factory.mktemp("fuzz"))
    http = TestClient(found.app, headers={"Authorization": f"Bearer {TOKEN}"})
    assert http.post("/api/submissions", json={"files": {"study.yaml": STUDY}}).status_code == 202
    found.step()
    return found


def test_these_are_all_paths(served):
    described = served.app.openapi()["paths"].items()
    assert {(method.upper(), path) for path, methods in described for method in methods} == set(PATHS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_no_request_makes_the_service_fail(served, method, path, mode):
    if mode is GenerationMode.NEGATIVE and path in ("/health", "/api/submissions") and method == "GET":
        pytest.skip("takes nothing that could be wrong")
    operation = schemathesis.openapi.from_asgi("/openapi.json", served.app)[path][method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=examples(60), suppress_health_check=list(HealthCheck))
    def request(case):
        if path == EVENTS:
            case.query = {**(case.query or {}), "follow": "false"}  # else it would go on for ever
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {TOKEN}"}
        case.validate_response(case.call(), checks=AS_DESCRIBED)

    request()
