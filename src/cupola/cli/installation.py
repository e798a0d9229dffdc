"""A home as the commands see it: its state from the files, the rest from the server if one runs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Self, TypeVar

from cupola.app import State, open_catalog, open_state
from cupola.catalog.service import Catalog
from cupola.cli.conversation import connect
from cupola.deployments.model import Endpoint, EndpointState
from cupola.deployments.schemas import EndpointSummary, get_keys, summarise
from cupola.home import Home, RunningServer
from cupola.http.server import base_url
from cupola.keys.model import KeyPair
from cupola.kit.clock import SystemClock
from cupola.settings import Settings, load_settings

T = TypeVar("T")

_PATIENCE = 2.0
"""Seconds for a server on the same machine to say how an endpoint is."""


class Installation:
    """One home, and the server on it if there is one."""

    def __init__(self, settings: Settings, server: RunningServer | None) -> None:
        self.settings = settings
        self.server = server

    @classmethod
    def open(cls, home: Path | None) -> Self:
        settings = load_settings(home=home)
        return cls(settings, Home(settings.home).find_server())

    def list_endpoints(self) -> Sequence[tuple[EndpointSummary, Endpoint]]:
        async def read(state: State) -> Sequence[tuple[EndpointSummary, Endpoint]]:
            stored = await state.endpoints.list_endpoints()
            return [(self._summarise(each), each) for each in stored]

        return self._read(read)

    def get_endpoint(self, name: str) -> tuple[EndpointSummary, Endpoint, KeyPair]:
        """Raises: NotFound, with the names there are."""

        async def read(state: State) -> tuple[EndpointSummary, Endpoint, KeyPair]:
            endpoint = await state.endpoints.get_endpoint(name)
            return self._summarise(endpoint), endpoint, get_keys(endpoint, state.keys)

        return self._read(read)

    def _summarise(self, endpoint: Endpoint) -> EndpointSummary:
        settings = self.settings
        url = (
            self.server.url
            if self.server
            else base_url(settings.host, settings.port, tls=settings.tls != "off")
        )
        return summarise(endpoint, self._find_state(endpoint), url)

    def _find_state(self, endpoint: Endpoint) -> EndpointState:
        if self.server is None:
            return EndpointState.STOPPED
        healthy = _is_healthy(self.server, f"/endpoints/{endpoint.name}/")
        return EndpointState.READY if healthy else EndpointState.STARTING

    def _read(self, read: Callable[[State], Awaitable[T]]) -> T:
        async def open_and_read() -> T:
            async with open_state(self.settings, SystemClock()) as state:
                return await read(state)

        return asyncio.run(open_and_read())


def open_own_catalog(home: Path | None) -> Catalog:
    """The catalog as the home completes it."""
    return open_catalog(Home(load_settings(home=home).home))


def _is_healthy(server: RunningServer, path: str) -> bool:
    connection = connect(server.url, server.certificate, _PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
