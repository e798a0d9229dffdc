"""What the management API costs with 1,000 endpoints in 100 projects, on SQLite.

A member of one project lists its endpoints, an administrator lists all projects page by page, and
the first page of a project that has all of the endpoints; over a real socket, one after the other.
Client and server share the process, so the figures hold the client's work too.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from statistics import quantiles

from cupola.app.greeting import tune_collector
from cupola.db.database import Database
from cupola.db.migration import ensure_schema
from cupola.deployments.changes import make_endpoint
from cupola.deployments.model import EndpointKind
from cupola.deployments.store import SqlEndpoints
from cupola.http.client import Client, Tcp
from cupola.ids import EndpointName, ModelName, ProjectName
from cupola.projects.model import Member, Project, Role
from cupola.projects.store import SqlProjects
from tests.control.serving import serving
from tests.control.world import ROOT, World, add_user, make_world

PROJECTS = 100
ENDPOINTS = 1_000
ROUNDS = 200
MODEL = ModelName("Cupola-Pilot")
CROWDED = ProjectName("crowded")


async def measure_control(rounds: int = ROUNDS) -> dict[str, float]:
    """Milliseconds of the slowest twentieth (`... p95 ms`) and of the median, by list."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cupola.db"
        ensure_schema(file)
        database = Database(file)
        try:
            world = await _fill(make_world(database), database)
            async with serving(world) as root:
                tune_collector()  # as the server does once it is up
                return await _ask(root, rounds)
        finally:
            await database.close()


async def _fill(world: World, database: Database) -> World:
    await add_user(world, database, "anna", "admin", administrator=True)
    ada = await add_user(world, database, "ada", "member")
    projects, endpoints = SqlProjects(database), SqlEndpoints(database)
    async with database.transaction():
        await projects.add(Project(CROWDED, created=0))
        for number in range(PROJECTS):
            name = ProjectName(f"project-{number:03}")
            await projects.add(Project(name, created=0))
            await projects.put_member(Member(name, ada.id, Role.DEVELOPER))
        for number in range(ENDPOINTS):
            made = make_endpoint(
                EndpointName(f"endpoint-{number:04}"), EndpointKind.SERVERLESS, MODEL, 0
            )
            project = ProjectName(f"project-{number % PROJECTS:03}")
            await endpoints.add(replace(made, project=project))
            other = EndpointName(f"crowd-{number:04}")
            await endpoints.add(replace(made, name=other, project=CROWDED))
    return world


async def _ask(root: str, rounds: int) -> dict[str, float]:
    host, _, port = root.removeprefix("http://").partition("/")[0].partition(":")
    client = Client(Tcp(host, int(port)))

    def get(path: str, token: str) -> Callable[[], Awaitable[None]]:
        async def ask() -> None:
            headers = {"Authorization": f"Bearer {token}"}
            status, _ = await client.request("GET", ROOT + path, b"", headers, within=30.0)
            assert status == 200, status

        return ask

    asked = {
        "a project's 10 endpoints": get("/projects/project-042/endpoints", "member"),
        "50 of 1,000 endpoints": get(f"/projects/{CROWDED}/endpoints", "admin"),
        "200 of 1,000 endpoints": get(f"/projects/{CROWDED}/endpoints?limit=200", "admin"),
        "50 of 100 projects": get("/projects", "member"),
        "one endpoint": get("/projects/project-042/endpoints/endpoint-0042", "member"),
    }
    results: dict[str, float] = {}
    for name, ask in asked.items():
        times = await _time(ask, rounds)
        results[f"{name}, p50 ms"] = round(times[49] * 1000, 2)
        results[f"{name}, p95 ms"] = round(times[94] * 1000, 2)
    client.close()
    return results


async def _time(ask: Callable[[], Awaitable[None]], rounds: int) -> list[float]:
    """The 99 percentiles, in seconds."""
    for _ in range(10):
        await ask()
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        await ask()
        times.append(time.perf_counter() - begun)
    return quantiles(times, n=100)


def main() -> None:
    """Measure and print."""
    for name, value in asyncio.run(measure_control()).items():
        sys.stdout.write(f"{name}: {value}\n")


if __name__ == "__main__":
    main()
