"""OpenTelemetry's exporter, imported only where a collector is set.

Spans are handed to a thread of the library's, which sends them in batches. If the collector is
away they are dropped, and the log says so: no request ever waits for it.
"""

import logging
import random
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cupola.kit.errors import Unavailable

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_EXPORTER: Final = "opentelemetry.exporter"
_PATH: Final = "/v1/traces"
_SERVICE: Final = "cupola"
_LAST: Final = 3.0
"""Seconds for what is left at the end."""


class SpanIds:
    """Ids of spans, as the library asks for them: random, but for the next if it is chosen.

    No subclass of the library's, which is imported only where a collector is set.
    """

    def __init__(self) -> None:
        self.next_trace = 0
        self.next_span = 0
        self._random = random.Random(secrets.token_bytes(32))

    def generate_trace_id(self) -> int:
        chosen, self.next_trace = self.next_trace, 0
        return chosen or self._random.randrange(1, 1 << 128)

    def generate_span_id(self) -> int:
        chosen, self.next_span = self.next_span, 0
        return chosen or self._random.randrange(1, 1 << 64)

    def is_trace_id_random(self) -> bool:
        return True


@contextmanager
def open_tracer(endpoint: str, version: str) -> Iterator["Tracer"]:
    """A tracer whose spans go to the collector at `endpoint`.

    The library's own variables hold for all else: OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES,
    OTEL_EXPORTER_OTLP_HEADERS, OTEL_BSP_SCHEDULE_DELAY and so on.

    Args:
        endpoint: As OTEL_EXPORTER_OTLP_ENDPOINT; empty: as the library's variables say.

    Raises:
        Unavailable: The library is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  slow
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  as above
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  as above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  as above
    except ImportError as error:
        raise Unavailable(
            "Traces are to be sent (CUPOLA_OTEL_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT is set), "
            "but what sends them is not installed. Install it with: pip install 'cupola[otel]'.",
            private=str(error),
        ) from error
    logging.getLogger(_EXPORTER).setLevel(logging.ERROR)  # not of each try, only of what is lost
    url = endpoint.rstrip("/") + _PATH if endpoint else None
    provider = TracerProvider(
        resource=Resource.create({"service.name": _SERVICE, "service.version": version}),
        shutdown_on_exit=False,
        id_generator=SpanIds(),  # type: ignore[arg-type]  # it has all that is asked of one
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    try:
        yield provider.get_tracer(_SERVICE, version)
    finally:
        _end(provider.shutdown)


def _end(shutdown: Callable[[], None]) -> None:
    """Send what is left, but let no collector that does not answer keep the process."""
    thread = threading.Thread(target=shutdown, name="last spans", daemon=True)
    thread.start()
    thread.join(_LAST)
