"""The ledger in PostgreSQL, written over one connection: a batch is one statement, one commit."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from cupola.db.engine import read_url
from cupola.kit.errors import Unavailable
from cupola.metering.model import UsageRecord
from cupola.metering.statements import write_batch

_PATIENCE: Final = 5.0
"""Seconds; then the database counts as away, and records go to the spool."""
_KINDS: Final[dict[Any, str]] = {str: "text", int: "bigint", float: "float8", bool: "boolean"}
_WRITE: Final = write_batch(
    tuple(
        _KINDS.get(each.type, "float8")  # what may be None is a length of time
        for each in msgspec.structs.fields(UsageRecord)
    )
)
_EXPIRE: Final = (
    "DELETE FROM usage_records WHERE sequence IN (SELECT sequence FROM usage_records "
    "WHERE time < $1 ORDER BY time, sequence LIMIT $2)"
)


class PostgresqlRecords:
    """A `RecordStore` on a database that has the ledger's tables."""

    def __init__(self, url: str) -> None:
        import asyncpg  # noqa: PLC0415  an extra: only those with PostgreSQL have it

        self._connect_to = asyncpg.connect
        self._failures = (
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,  # seen when a connection is ended in the wrong moment
            OSError,
            TimeoutError,
        )
        plain = read_url(url).set(drivername="postgresql")
        self._url = plain.render_as_string(hide_password=False)
        self._open: Any = None

    async def write(self, records: Sequence[UsageRecord]) -> None:
        columns = zip(*map(msgspec.structs.astuple, records), strict=True)
        await self._execute(_WRITE, *map(list, columns))

    async def expire(self, before: float, limit: int) -> int:
        said = await self._execute(_EXPIRE, before, limit)
        return int(said.rpartition(" ")[2])

    async def close(self) -> None:
        if self._open is not None:
            self._open.terminate()
            self._open = None

    async def _execute(self, statement: str, *values: object) -> str:
        try:
            async with asyncio.timeout(_PATIENCE):
                connection = self._open or await self._connect()
                said: str = await connection.execute(statement, *values)
        except BaseException as error:
            await self.close()
            if not isinstance(error, self._failures):
                raise
            raise Unavailable(
                "The ledger cannot be written now.", private=f"PostgreSQL: {error!r}"
            ) from error
        return said

    async def _connect(self) -> Any:
        self._open = await self._connect_to(
            self._url,
            server_settings={
                "application_name": "cupola ledger",
                "synchronous_commit": "on",  # whatever the server's own default is
            },
        )
        return self._open
