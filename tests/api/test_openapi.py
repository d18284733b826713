"""What the OpenAPI document says is true of every answer, whatever is sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestrator_tui.api.app import document, make_app
from orchestrator_tui.api.base import Options
from orchestrator_tui.api.routes.parts import House
from tests.api.test_server import Server, server

EXAMPLES = 4
STREAM = ("GET", "/events")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("api") / "home", autonomy="checkpoint") as at:
        yield at


def described() -> dict[str, Any]:
    options = Options(hosts=frozenset(), workspace=Path("/work"))
    return document(make_app(House(options=options)))


def operations() -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, methods in described()["paths"].items() for method in methods]


@pytest.mark.parametrize(("method", "path"), [one for one in operations() if one != STREAM])
def test_no_answer_is_the_server_s_fault_or_undocumented(site: Server, method: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {site.token}"}
    schema = schemathesis.openapi.from_dict(described())
    operation = schema[path][method]
    names = ["status_code_conformance", "content_type_conformance", "response_schema_conformance"]
    # Only there 503 is an answer like any other: something is not ready.
    checks: Any = schemathesis.checks.CHECKS.get_by_names(
        [*names, *([] if path == "/ready" else ["not_a_server_error"])]
    )

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy())
        case.call_and_validate(base_url=site.url, headers=headers, checks=checks)

    check()


def test_the_document_is_served_and_says_what_each_route_needs(site: Server) -> None:
    headers = {"Authorization": f"Bearer {site.token}"}
    with httpx.Client(base_url=site.url, headers=headers, trust_env=False, timeout=60) as http:
        served = http.get("/openapi.json").json()
    assert served["paths"] == described()["paths"]
    for path, methods in served["paths"].items():
        for method, told in methods.items():
            assert told["x-scope"] in ("none", "read", "operate", "admin"), path
            assert told["summary"]
            assert told["security"] == ([] if told["x-scope"] == "none" else [{"token": []}])
            if method == "post" and path != "/commands" and not path.startswith("/webhooks/"):
                (reference,) = [
                    one["$ref"] for one in find_references(told["requestBody"]["content"]["application/json"]["schema"])
                ]
                body = served["components"]["schemas"][reference.rpartition("/")[2]]
                assert body["examples"] and body["additionalProperties"] is False


def find_references(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in (schema, *schema.get("anyOf", ())) if "$ref" in one]
