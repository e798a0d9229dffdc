"""The fleet of this process, over the state."""

import logging

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


async def open_fleet(settings: Settings, state: State, clock: Clock) -> Fleet:
    """Replicas of this machine for the state's endpoints; nothing runs before it is started.

    `state.changes` is called when the profile of a deployment becomes known.
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
        on_change=state.changes,
    )
    pace = Pace(
        ready_within=settings.rollout_timeout,
        drain=settings.drain_timeout,
        idle=settings.scale_idle,
    )
    return Fleet(ports, pace)
