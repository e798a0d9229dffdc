"""Who counts, and the page on which it is shown."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cupola import __version__
from cupola.app.gauges import FleetSource, LedgerSource, LimitSource, ProcessSource, WatchSource
from cupola.app.metering import Metering
from cupola.app.state import State
from cupola.db.watch import Watch
from cupola.deployments.fleet import Fleet
from cupola.gateway.directory import Directory
from cupola.gateway.metrics import RequestMetrics
from cupola.gateway.metrics_page import MetricsPage
from cupola.identity.service import Identity
from cupola.kit.clock import Clock
from cupola.projects.service import require_observer
from cupola.settings import Settings, has_trace_collector
from cupola.telemetry.metrics import Source
from cupola.telemetry.tracing import open_tracer

if TYPE_CHECKING:
    from cupola.gateway.spans import RequestSpans


def count_requests(directory: Directory) -> RequestMetrics:
    """What the gateway tells of each request."""
    return RequestMetrics(lambda: directory.snapshot.endpoints)


@contextmanager
def trace_requests(settings: Settings, clock: Clock) -> Iterator[Sequence["RequestSpans"]]:
    """Who sends a span of each request, where a collector is set; else nobody."""
    if not settings.otel_endpoint and not has_trace_collector():
        yield ()
        return
    with open_tracer(settings.otel_endpoint, __version__) as tracer:
        from cupola.gateway.spans import RequestSpans  # noqa: PLC0415  an extra's packages

        yield (RequestSpans(tracer, clock),)


def open_metrics(
    requests: RequestMetrics,
    state: State,
    fleet: Fleet,
    watch: Watch,
    identity: Identity,
    clock: Clock,
    more: Sequence[Source] = (),
) -> MetricsPage:
    """The page of all numbers.

    Args:
        more: Sources besides: those of the ledger and of limits.
    """

    async def authorise(token: str, source: str) -> None:
        require_observer(await identity.authenticate(token, source))

    sources: Sequence[Source] = (
        requests,
        FleetSource(fleet.list_pools, lambda: state.weights.under_way),
        WatchSource(watch.statistics),
        *more,
        ProcessSource(clock.now()),
    )
    return MetricsPage(sources, authorise, clock)


def observe_metering(metering: Metering) -> Sequence[Source]:
    """What the ledger and the limits tell of themselves."""
    return (
        LedgerSource(metering.ledger.statistics),
        LimitSource(metering.limiter.statistics),
    )
