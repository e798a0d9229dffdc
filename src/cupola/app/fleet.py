"""The fleet of this process, over the state."""

import logging
from collections.abc import Callable

from cupola.app.models import Engines, Weights, find_process
from cupola.app.state import State
from cupola.deployments.fleet import Fleet, FleetPorts
from cupola.deployments.local import LocalCompute
from cupola.deployments.machine import suggest_instance_types
from cupola.deployments.model import Endpoint
from cupola.deployments.situation import Pace
from cupola.kit.clock import Clock
from cupola.settings import Settings, usable_cores

_log = logging.getLogger(__name__)


async def open_fleet(
    settings: Settings, state: State, clock: Clock, on_change: Callable[[], None]
) -> Fleet:
    """Replicas of this machine for the state's endpoints; nothing runs before it is started.

    Args:
        on_change: Called in the very moment in which other replicas take over, or a profile
            becomes known.
    """
    compute = LocalCompute(Engines(settings, state), find_process, usable_cores())
    await state.instance_types.ensure_first(suggest_instance_types(compute.read_machine()))

    async def expire(endpoint: Endpoint) -> None:
        if await state.endpoints.expire(endpoint):
            _log.warning("%s is deleted: its time on the shared quota is over.", endpoint.name)

    stores = state.stores
    ports = FleetPorts(
        read_wanted=state.endpoints.list_endpoints,
        endpoints=stores.endpoints,
        instance_types=stores.instance_types,
        intervals=stores.intervals,
        memory_use=stores.memory_use,
        weights=Weights(state),
        compute=compute,
        clock=clock,
        expire=expire,
        go_back=state.endpoints.go_back,
        on_change=on_change,
    )
    pace = Pace(
        ready_within=settings.rollout_timeout,
        drain=settings.drain_timeout,
        idle=settings.scale_idle,
    )
    return Fleet(ports, pace)
