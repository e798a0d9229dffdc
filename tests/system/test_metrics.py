"""Metrics and traces of a real server: who may see them, and that they tell what happened."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.collector import Collector, collector, read_attributes
from tests.conftest import supply_model
from tests.running import Running, cupola

ASKED = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Collector]]:
    """A server that sends its spans to a collector."""
    home = tmp_path_factory.mktemp("traced") / "home"
    supply_model(home)
    with collector() as found:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": found.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with cupola(home, settings=settings) as server:
            yield server.wait_ready(), found


@pytest.fixture
def console(traced: tuple[Running, Collector]) -> str:
    return (traced[0].home / "run" / "console.token").read_text().strip()


def scrape(server: Running, token: str) -> dict[tuple[str, frozenset[Any]], float]:
    response = httpx.get(f"{server.url}/metrics", headers={"authorization": f"Bearer {token}"})
    assert 200 == response.status_code, response.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def total(found: dict[tuple[str, frozenset[Any]], float], name: str, **labels: str) -> float:
    return sum(v for (n, has), v in found.items() if n == name and labels.items() <= has)


def ask(server: Running, **more: Any) -> None:
    response = httpx.post(
        f"{server.target_uri}/chat/completions",
        headers={"authorization": f"Bearer {server.key}"},
        json={**ASKED, **more},
        timeout=60,
    )
    assert 200 == response.status_code, response.text


def test_metrics_tell_what_happened(traced: tuple[Running, Collector], console: str):
    """Whole and streamed requests, the fleet, and the process."""
    server, _ = traced
    before = scrape(server, console)
    ask(server)
    ask(server, stream=True)
    after = scrape(server, console)

    def grown(name: str, **labels: str) -> float:
        return total(after, name, **labels) - total(before, name, **labels)

    assert 2 == grown("cupola_requests_total", cupola_endpoint="pilot", status="200")
    assert 2 == grown("gen_ai_server_request_duration_seconds_count", error_type="")
    assert 1 == grown("gen_ai_server_time_to_first_token_seconds_count")
    assert grown("gen_ai_client_token_usage_sum", gen_ai_token_type="output") >= 2
    assert grown("cupola_endpoint_tokens_total", cupola_endpoint="pilot") >= 4
    assert grown("cupola_request_engine_seconds_sum") > 0
    assert grown("cupola_request_gateway_seconds_sum") > 0
    assert 1 == total(after, "cupola_replicas", cupola_endpoint="pilot", state="ready")
    assert total(after, "process_resident_memory_bytes") > 10e6
    assert total(after, "cupola_snapshot_age_seconds") < 30


def token_of(server: Running, console: str, name: str, *scopes: str, administrator: bool) -> str:
    """A token of a new user, with these rights only; without any, with all that the user has."""
    with httpx.Client(base_url=f"{server.url}/management/v1", timeout=30) as client:
        user = {"name": name, "password": "long enough 1", "administrator": administrator}
        by = {"authorization": f"Bearer {console}"}
        assert 201 == client.post("/users", json=user, headers=by).status_code
        body = {"name": name, "password": "long enough 1", "label": "test"}
        token = client.post("/sign-in", json=body).json()["token"]
        if scopes:
            made = {"label": "prometheus", "scopes": [*scopes]}
            by = {"authorization": f"Bearer {token}"}
            token = client.post("/sessions", json=made, headers=by).json()["token"]
    return str(token)


@pytest.mark.parametrize(
    ("scopes", "administrator", "status"),
    [((), True, 200), (("read",), True, 200), (("call",), True, 403), ((), False, 403)],
)
def test_metrics_need_an_administrators_token(
    traced: tuple[Running, Collector],
    console: str,
    scopes: tuple[str, ...],
    administrator: bool,
    status: int,
):
    """One that can only read is enough, so what watches needs no power to change anything."""
    server, _ = traced
    name = f"u{len(scopes)}{'-'.join(scopes)}{administrator}".lower()
    token = token_of(server, console, name, *scopes, administrator=administrator)
    response = httpx.get(f"{server.url}/metrics", headers={"authorization": f"Bearer {token}"})

    assert status == response.status_code, response.text


def test_metrics_are_not_for_callers(traced: tuple[Running, Collector]):
    """Neither for an endpoint's key nor for nobody."""
    server, _ = traced
    headers = {"authorization": f"Bearer {server.key}"}
    assert 401 == httpx.get(f"{server.url}/metrics").status_code
    assert 401 == httpx.get(f"{server.url}/metrics", headers=headers).status_code


def test_traces_arrive(traced: tuple[Running, Collector]):
    """The span of a request, with its engine's."""
    server, found = traced
    known = len(found.spans)
    ask(server)
    spans = found.wait(known + 2)[known:]

    described = [read_attributes(each) for each in spans]
    assert any(each.get("gen_ai.usage.output_tokens", 0) > 0 for each in described)
    assert {"chat Cupola-Pilot", "engine llamacpp"} <= {each.name for each in spans}
    assert json.dumps(ASKED["messages"])[10:20] not in str(spans)
