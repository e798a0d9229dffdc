"""`/projects/{project}/endpoints/{endpoint}/logs`: what an endpoint's engines wrote."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from cupola.control.authority import Deployable
from cupola.control.endpoints import EndpointName
from cupola.control.services import Parts
from cupola.deployments.changes import get_deployment

router = APIRouter(tags=["endpoints"])

_TAIL: Final = 64 * 1024
"""Bytes of each file that are told at most of what was written before."""
_PAUSE: Final = 0.5
"""Seconds between two looks, when following."""


@router.get(
    "/projects/{project}/endpoints/{endpoint}/logs",
    summary="Read the engines' logs",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def read_logs(
    project: Deployable,
    endpoint: EndpointName,
    services: Parts,
    deployment: Annotated[str | None, Query(max_length=200, description="Of this alone.")] = None,
    follow: Annotated[bool, Query(description="Go on with what is written from now on.")] = False,
) -> StreamingResponse:
    """The last 64 KiB of each file, oldest first."""
    found = await services.endpoints.get(project, endpoint)
    name = None if deployment is None else get_deployment(found, deployment).name
    return StreamingResponse(
        _stream(lambda: services.find_logs(found.name, name), follow), media_type="text/plain"
    )


class _Reading:
    """A file, and how far it was told."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._place = -1

    def take(self) -> bytes:
        """What is new in it; of the first look, its last whole lines."""
        try:
            with self._file.open("rb") as opened:
                size = opened.seek(0, 2)
                fresh = not 0 <= self._place <= size  # not read yet, or begun anew since
                if fresh:
                    self._place = max(0, size - _TAIL)
                opened.seek(self._place)
                text = opened.read(_TAIL)
                self._place += len(text)
                return text.partition(b"\n")[2] if fresh and size > _TAIL else text
        except FileNotFoundError:
            return b""


async def _stream(find: Callable[[], Sequence[Path]], follow: bool) -> AsyncIterator[bytes]:
    readings: dict[Path, _Reading] = {}
    while True:
        for file in find():
            reading = readings.setdefault(file, _Reading(file))
            if text := await asyncio.to_thread(reading.take):
                yield text
        if not follow:
            return
        await asyncio.sleep(_PAUSE)
