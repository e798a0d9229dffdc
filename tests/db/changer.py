"""Another process on the same home: gives an endpoint a new primary key, and says when.

    python -m tests.db.changer HOME ENDPOINT

Prints the seconds of the machine's clock at which the change was committed.
"""

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

from cupola.db.database import Database
from cupola.deployments.store import SqlEndpoints
from cupola.ids import EndpointName


async def regenerate(home: Path, name: EndpointName) -> None:
    """Count the primary key's generation up."""
    database = Database(home / "cupola.db")
    store = SqlEndpoints(database)
    endpoint = await store.find(name)
    assert endpoint is not None
    await store.save(
        replace(
            endpoint,
            primary_generation=endpoint.primary_generation + 1,
            version=endpoint.version + 1,
        )
    )
    print(time.time(), flush=True)  # noqa: TID251  of two processes, hence the machine's clock
    await database.close()


if __name__ == "__main__":
    asyncio.run(regenerate(Path(sys.argv[1]), EndpointName(sys.argv[2])))
