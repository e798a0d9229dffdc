"""Spans, as a collector gets them that takes OTLP over HTTP."""

import threading
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from cupola.engines.port import Generation
from cupola.engines.upstream.replica import UpstreamReplica
from cupola.gateway.spans import RequestSpans
from cupola.kit.clock import Clock, FakeClock, SystemClock
from cupola.kit.errors import EngineFailed
from cupola.telemetry import tracing
from cupola.telemetry.tracing import open_tracer
from cupola.wire.canonical import Delta, Event, Failed, Finish, Usage
from tests.collector import collector, read_attributes
from tests.engines.test_upstream import WHOLE, asking, reply
from tests.gateway.fakes import (
    HELLO,
    Caller,
    FixedPool,
    Response,
    Script,
    ScriptedReplica,
    gateway_of,
    saying,
    served,
)
from tests.patience import PATIENCE

CHAT = "/endpoints/pilot/chat/completions"
SECRET = "the prompt that nobody else may read"
ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": SECRET}]}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch):
    for name in ("OTEL_TRACES_SAMPLER", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", str(PATIENCE))
    monkeypatch.setattr(tracing, "_LAST", PATIENCE)  # a busy machine loses no span


async def trace(
    script: Script,
    body: dict[str, Any] = ASKED,
    *,
    clock: Clock | None = None,
    **named: Any,
) -> tuple[Response, list[Span], list[dict[str, Any]]]:
    """One request, and the spans that came of it by the time that the tracer was closed."""
    with collector() as found:
        clock = clock or SystemClock()
        pilot = served(FixedPool([ScriptedReplica(script)]))
        with open_tracer(found.url, "1.2.3") as tracer:
            gateway = gateway_of(pilot, clock=clock, observers=(RequestSpans(tracer, clock),))
            response = await Caller(gateway).call(CHAT, body, **named)
        return response, found.spans, found.resources


def sort(spans: list[Span]) -> tuple[Span, Span]:
    request = next(each for each in spans if each.kind == Span.SPAN_KIND_SERVER)
    engine = next(each for each in spans if each.kind == Span.SPAN_KIND_CLIENT)
    return request, engine


async def test_request_has_a_span_and_its_engine_one_within():
    """Named and described by the conventions, without a word of the prompt."""

    async def slow(request: Generation) -> AsyncGenerator[Event, None]:
        clock.advance(5)
        yield Delta("Hi", 1)
        clock.advance(2)
        yield Delta("!", 1)
        yield Finish("stop", Usage(7, 2))

    clock = FakeClock()
    began = int(clock.now()) * 10**9
    response, spans, resources = await trace(slow, {**ASKED, "stream": True}, clock=clock)
    request, engine = sort(spans)

    assert "chat Cupola-Pilot" == request.name
    attributes = read_attributes(request)
    assert {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "Cupola-Pilot",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.id": response.headers["x-request-id"],
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 2,
        "http.response.status_code": 200,
        "cupola.endpoint": "pilot",
    }.items() <= attributes.items()
    assert 5 == attributes["cupola.time_to_first_token"]
    assert (request.trace_id, request.span_id) == (engine.trace_id, engine.parent_span_id)
    for span in (request, engine):
        assert (began, began + 7 * 10**9) == (span.start_time_unix_nano, span.end_time_unix_nano)
    assert [("first token", began + 5 * 10**9)] == [
        (event.name, event.time_unix_nano) for event in engine.events
    ]
    assert [("cupola", "1.2.3")] == [(r["service.name"], r["service.version"]) for r in resources]
    assert SECRET not in str(spans)


async def test_callers_trace_goes_on():
    """Whoever sends a `traceparent` finds ours below it; nonsense begins a trace of its own."""
    _, spans, _ = await trace(saying(*HELLO), headers={"traceparent": PARENT})
    request, engine = sort(spans)
    assert PARENT.split("-")[1] == request.trace_id.hex() == engine.trace_id.hex()
    assert PARENT.split("-")[2] == request.parent_span_id.hex()

    response, spans, _ = await trace(saying(*HELLO), headers={"traceparent": "nonsense"})
    assert 200 == response.status
    assert b"" == sort(spans)[0].parent_span_id


async def test_caller_decides_what_is_sampled():
    """The usual sampler heeds the flag of the parent: this one asked for no span."""
    _, spans, _ = await trace(saying(*HELLO), headers={"traceparent": PARENT[:-1] + "0"})

    assert [] == spans


async def test_librarys_own_sampler_counts(monkeypatch: pytest.MonkeyPatch):
    """By the variables that operators know."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    _, spans, _ = await trace(saying(*HELLO))

    assert [] == spans


async def test_failure_is_an_error_and_a_refusal_is_none():
    """What the caller did wrong is no error of the server; an engine that died is."""
    _, spans, _ = await trace(saying(Failed(EngineFailed("It died."))))
    request = next(each for each in spans if each.kind == Span.SPAN_KIND_SERVER)
    assert Status.STATUS_CODE_ERROR == request.status.code
    assert "engine_failed" == read_attributes(request)["error.type"]

    _, spans, _ = await trace(saying(*HELLO), key="x" * 32)
    (request,) = spans
    assert Status.STATUS_CODE_UNSET == request.status.code
    assert "unauthenticated" == read_attributes(request)["error.type"]
    assert "cupola.endpoint" not in read_attributes(request)


async def test_collector_that_does_not_answer_harms_nobody(monkeypatch: pytest.MonkeyPatch):
    """Requests are answered, and then the end is, while it still waits for the last spans."""
    monkeypatch.setattr(tracing, "_LAST", 0.1)
    clock = SystemClock()
    pilot = served(FixedPool([ScriptedReplica(saying(*HELLO))]))
    with collector() as silent:
        silent.answers.clear()
        with open_tracer(silent.url, "1.2.3") as tracer:
            gateway = gateway_of(pilot, clock=clock, observers=(RequestSpans(tracer, clock),))
            for _ in range(50):
                assert 200 == (await Caller(gateway).call(CHAT, ASKED)).status

        [last] = [each for each in threading.enumerate() if each.name == "last spans"]
        silent.answers.set()
        last.join(PATIENCE)

    assert not last.is_alive()
    assert 100 == len(silent.spans)


async def ask_upstream(folder: Path, more: str = "", **headers: str) -> tuple[bytes, list[Span]]:
    """What a real upstream was sent, as one request's head, and the spans that came of it."""
    with collector() as found:
        async with asking(folder, reply(200, WHOLE), more=more) as (upstream, described):
            replica = UpstreamReplica(described)
            await replica.start()
            pilot = replace(served(FixedPool([replica])), profile=replica.profile)
            with open_tracer(found.url, "1.2.3") as tracer:
                spans = RequestSpans(tracer, SystemClock())
                gateway = gateway_of(pilot, observers=(spans,), trace=spans.begin)
                response = await Caller(gateway).call(CHAT, ASKED, headers=headers)
            await replica.stop()
    assert 200 == response.status, response.body
    return upstream.requests[0].partition(b"\r\n\r\n")[0].lower(), found.spans


def sent_parent(head: bytes) -> list[str]:
    [line] = [line for line in head.split(b"\r\n") if line.startswith(b"traceparent: ")]
    return line.removeprefix(b"traceparent: ").decode().split("-")


async def test_upstream_is_told_of_its_span(tmp_path: Path):
    """What it makes of it lies below the engine's span, in the caller's trace or a new one."""
    head, spans = await ask_upstream(tmp_path, traceparent=PARENT, tracestate="a=b")
    request, engine = sort(spans)
    assert ["00", engine.trace_id.hex(), engine.span_id.hex(), "01"] == sent_parent(head)
    assert PARENT.split("-")[1] == engine.trace_id.hex()
    assert PARENT.split("-")[2] == request.parent_span_id.hex()
    assert request.span_id == engine.parent_span_id
    assert b"tracestate" not in head

    head, spans = await ask_upstream(tmp_path)
    request, engine = sort(spans)
    assert ["00", engine.trace_id.hex(), engine.span_id.hex(), "03"] == sent_parent(head)
    assert b"" == request.parent_span_id


async def test_upstream_heeds_what_is_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """No span is made here, nor asked of the upstream."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    head, spans = await ask_upstream(tmp_path)

    assert ([], "02") == (spans, sent_parent(head)[3])


@pytest.mark.parametrize(("setting", "told"), [("none", (False, False)), ("full", (True, True))])
async def test_how_much_an_upstream_is_told(tmp_path: Path, setting: str, told: tuple[bool, bool]):
    """Nothing, or also what others noted in the trace."""
    head, _ = await ask_upstream(
        tmp_path, f'trace_context = "{setting}"', traceparent=PARENT, tracestate="a=b"
    )

    assert told == (b"traceparent:" in head, b"tracestate: a=b" in head)


async def test_trace_goes_on_without_a_collector(tmp_path: Path):
    """An upstream's spans belong to the caller's then; without a caller's there is nothing."""
    for headers in ({"traceparent": PARENT}, {}):
        async with asking(tmp_path, reply(200, WHOLE)) as (upstream, described):
            replica = UpstreamReplica(described)
            await replica.start()
            pilot = replace(served(FixedPool([replica])), profile=replica.profile)
            await Caller(gateway_of(pilot)).call(CHAT, ASKED, headers=headers)
            await replica.stop()

        assert bool(headers) == (b"traceparent: " + PARENT.encode() in upstream.requests[0])
        assert bool(headers) == (b"trace" in upstream.requests[0].lower())


async def test_only_upstreams_are_told(tmp_path: Path):
    """An engine of ours makes no spans, so nothing of a trace reaches it."""
    told: list[Generation] = []

    async def script(request: Generation) -> AsyncGenerator[Event, None]:
        told.append(request)
        yield Finish("stop", Usage(1, 0))

    await trace(script, headers={"traceparent": PARENT})

    assert [None] == [each.trace for each in told]
