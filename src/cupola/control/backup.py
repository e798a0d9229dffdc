"""`GET /backup`: the installation in one file, for administrators.

Without the secret from which keys are derived: whoever may read everything here may still not call
every endpoint from elsewhere. `cupola backup` on the machine itself puts it in.
"""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import anyio.to_thread
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from cupola.control.authority import Administrator
from cupola.control.services import Parts

router = APIRouter(tags=["platform"])

_TYPE: Final = "application/gzip"
_CHUNK: Final = 1024 * 1024
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/backup",
    summary="The installation in one file, without its secret",
    response_class=StreamingResponse,
    responses={200: {"content": {_TYPE: _BINARY}}},
)
async def backup(by: Administrator, services: Parts) -> StreamingResponse:
    """As `cupola restore` reads it; of one moment, while the server goes on."""
    folder = tempfile.TemporaryDirectory(prefix="cupola-backup-")
    try:
        file = Path(folder.name) / "backup"
        await services.write_backup(file)
        async with services.work.transaction():
            await services.audit.record(by, "backup", "platform", None, None, {"secret": False})
    except BaseException:
        folder.cleanup()
        raise
    return StreamingResponse(_send(file, folder), media_type=_TYPE)


async def _send(file: Path, folder: "tempfile.TemporaryDirectory[str]") -> AsyncIterator[bytes]:
    with folder, file.open("rb") as opened:
        while chunk := await anyio.to_thread.run_sync(opened.read, _CHUNK):
            yield chunk
