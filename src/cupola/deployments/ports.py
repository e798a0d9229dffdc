"""What deployments need from outside: a place that keeps endpoints."""

from collections.abc import Sequence
from typing import Protocol

from cupola.deployments.model import Endpoint
from cupola.ids import EndpointName


class EndpointStore(Protocol):
    """Keeps endpoints.

    - `add` raises `Conflict` if the name is taken, and then changes nothing.
    - `find` returns None for a name that was not added.
    - `list` is sorted by time of creation, then by name.
    - What `add` returned from is there after a restart, whatever ended the process.
    """

    async def add(self, endpoint: Endpoint) -> None: ...

    async def find(self, name: EndpointName) -> Endpoint | None: ...

    async def list(self) -> Sequence[Endpoint]: ...
