"""How long a change takes to reach the gateway, with a thousand endpoints in a hundred projects.

    python -m bench.scale

From a committed database to the new snapshot in place: all endpoints read, what has changed
decoded and built anew, the old snapshot replaced. What the watch adds is its period, half of it on
the average.
"""

import asyncio
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from cupola.app.greeting import tune_collector
from cupola.db.database import Database
from cupola.db.migration import ensure_schema
from cupola.db.tables import projects
from cupola.db.watch import PERIOD
from cupola.deployments.changes import make_endpoint
from cupola.deployments.model import Deployment, Endpoint, EndpointKind
from cupola.deployments.store import SqlEndpoints
from cupola.engines.port import Profile
from cupola.gateway.directory import Directory, Pool, Served
from cupola.gateway.publish import Publisher
from cupola.gateway.snapshot import KeyGrant, Known, SnapshotBuilder
from cupola.identity.model import Origin, User
from cupola.ids import EndpointName, ModelName, ProjectName, UserId
from cupola.keys.service import Keyring
from cupola.projects.model import Member, Role
from cupola.testing import MemorySecret

ENDPOINTS: Final = 1000
PROJECTS: Final = 100
_MEMBERS: Final = 10
"""Of each project."""
_KEYS: Final = 2
"""Of each project."""


async def measure_push(rounds: int) -> dict[str, Any]:
    """Milliseconds of the first push, and of those after it, each with one new key."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cupola.db"
        ensure_schema(file)
        database = Database(file)
        try:
            return await _measure(database, rounds)
        finally:
            await database.close()


async def _measure(database: Database, rounds: int) -> dict[str, Any]:
    store, people = SqlEndpoints(database), _make_people()
    endpoints = await _fill(database, store)

    async def read() -> Known:
        return replace(people, endpoints=await store.list())

    tune_collector()  # as the server does once it is up
    directory = Directory()
    builder = SnapshotBuilder(Keyring(MemorySecret()), _Describe())
    publisher = Publisher(directory, builder, read)
    first = await _time(publisher)
    taken = []
    for i in range(rounds):
        changed = replace(endpoints[i], primary_generation=2, version=2)
        await store.save(changed)
        taken.append(await _time(publisher))
    assert len(directory.snapshot.endpoints) == ENDPOINTS
    return {
        "first push ms": round(first * 1000, 1),
        "push ms": round(median(taken) * 1000, 1),
        "push ms, slowest": round(max(taken) * 1000, 1),
        "period of the watch ms": round(PERIOD * 1000),
    }


class _Describe:
    """As the fleet does: the same object each time."""

    def __init__(self) -> None:
        self._served: dict[EndpointName, Served] = {}

    def __call__(self, endpoint: Endpoint, deployment: Deployment) -> Served:
        if endpoint.name not in self._served:
            self._served[endpoint.name] = Served(
                endpoint=endpoint.name,
                deployment=deployment.name,
                model=deployment.spec.model,
                provider="Cupola",
                model_type="chat-completions",
                created=0,
                profile=_PROFILE,
                default_temperature=1.0,
                pool=_POOL,
            )
        return self._served[endpoint.name]


class _NoPool:
    """Replicas are not what is measured."""

    def ready(self) -> tuple[()]:
        return ()

    async def wait_ready(self, timeout: float) -> bool:
        return False

    def reason(self) -> str:
        return ""


_POOL: Pool = _NoPool()
_PROFILE = Profile(
    context_length=4096,
    chat_template="",
    bos_token="",
    eos_token="",
    control_tokens={},
    tool_calls_token=None,
    grammar=False,
)


async def _time(publisher: Publisher) -> float:
    began = time.perf_counter()
    await publisher.publish()
    return time.perf_counter() - began


async def _fill(database: Database, store: SqlEndpoints) -> list[Endpoint]:
    made = [
        replace(
            make_endpoint(
                EndpointName(f"endpoint-{i}"),
                EndpointKind.SERVERLESS,
                ModelName("Cupola-Pilot"),
                created=i,
                key_seed=f"sed_{i}",
            ),
            project=_project(i),
        )
        for i in range(ENDPOINTS)
    ]
    rows = [
        {"name": _project(i), "display_name": "", "created": 0, "version": 1}
        for i in range(PROJECTS)
    ]
    async with database.transaction() as connection:
        await connection.execute(projects.insert(), rows)
        for endpoint in made:
            await store.add(endpoint)
    return made


def _make_people() -> Known:
    """Twice as many users as projects, each a member of several."""
    users = [
        User(UserId(f"usr_{i}"), f"user-{i}", Origin.OIDC, 0, issuer="https://i", subject=str(i))
        for i in range(2 * PROJECTS)
    ]
    members = [
        Member(_project(i), users[(i + 7 * k) % len(users)].id, Role.DEVELOPER)
        for i in range(PROJECTS)
        for k in range(_MEMBERS)
    ]
    keys = [
        KeyGrant(f"{i} {k}".encode(), _project(i), users[i].id)
        for i in range(PROJECTS)
        for k in range(_KEYS)
    ]
    return Known((), users, members, keys)


def _project(i: int) -> ProjectName:
    return ProjectName(f"project-{i % PROJECTS}")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure_push(20)), indent=1))
