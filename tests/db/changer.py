"""Another process on the same home: gives an endpoint a new primary key.

python -m tests.db.changer HOME ENDPOINT
"""

import asyncio
import sys
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
    await database.close()


if __name__ == "__main__":
    asyncio.run(regenerate(Path(sys.argv[1]), EndpointName(sys.argv[2])))
