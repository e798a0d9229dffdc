"""A server whose state is in PostgreSQL, and what it does while the database is away."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE, wait_until
from tests.postgresql import cluster
from tests.running import Running, cupola


def test_the_data_plane_outlives_the_database(home: Path):
    """Callers are served all the while; changes wait, are told so, and go on by themselves."""
    with cluster() as database:
        settings = {"CUPOLA_DATABASE_URL": database.create()}
        with cupola(home, settings=settings) as server:
            running = server.wait_ready()
            assert 201 == _manage(running, "POST", "/projects", {"name": "before"})
            database.stop()

            for _ in range(20):
                assert 200 == _chat(running)
            assert 503 == _manage(running, "POST", "/projects", {"name": "meanwhile"})
            assert 200 == _chat(running)

            database.start()
            statuses: list[int] = []

            def is_back() -> bool:
                statuses.append(_manage(running, "POST", "/projects", {"name": "after"}))
                return statuses[-1] != 503

            assert wait_until(is_back)
            assert 201 == statuses[-1]
            assert 404 == _manage(running, "GET", "/projects/meanwhile")

        assert not (home / "cupola.db").exists()
        with cupola(home, settings=settings) as server:  # the next one finds it all there
            again = server.wait_ready()
            assert 200 == _manage(again, "GET", "/projects/after")
            assert running.key == again.key


def _chat(running: Running) -> int:
    body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}
    return _ask(f"{running.target_uri}/chat/completions", "POST", body, running.key)


def _manage(running: Running, method: str, path: str, body: Any = None) -> int:
    token = (running.home / "run" / "console.token").read_text()
    return _ask(f"{running.url}/management/v1{path}", method, body, token)


def _ask(url: str, method: str, body: Any, token: str) -> int:
    request = urllib.request.Request(
        url,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code
