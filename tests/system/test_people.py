"""Another person comes in: a real server, a real provider, and what their groups let them do."""

import asyncio
import socket
from pathlib import Path

import httpx

from tests.identity.serving import CALLBACK, ensure_node, start_provider, stop_provider
from tests.identity.test_oidc_real import sign_in
from tests.running import Running, cupola

_IDENTITY = """
issuer = "{issuer}"
client_id = "cupola"
client_secret_file = "oidc.secret"
scopes = ["openid", "profile", "groups"]
administrators = ["platform-team"]

[[mapping]]
group = "search-team"
project = "default"
role = "inference-user"
"""
_API = "/management/v1"


def test_a_provider_lets_people_in(home: Path):
    """Grace may call the project's endpoints and no more; Ada administers; Alan is nobody here."""
    port = _find_port()
    provider = start_provider(ensure_node(), f"http://127.0.0.1:{port}{CALLBACK}")
    try:
        _write(home, provider.issuer)
        with cupola(home, "--port", str(port)) as server:
            asyncio.run(_visit(server.wait_ready()))
    finally:
        stop_provider(provider)


async def _visit(running: Running) -> None:
    expected = {"ada": (200, 200, 200), "grace": (200, 403, 403), "alan": (404, 404, 403)}
    for name, (keys, regenerate, users) in expected.items():
        async with httpx.AsyncClient(base_url=running.url) as browser:
            await sign_in(browser, name)
            browser.headers["x-cupola-request"] = "1"
            pilot = f"{_API}/projects/default/endpoints/pilot"
            seen = await browser.get(f"{pilot}/keys")
            body = {"key": "secondary"}
            changed = await browser.post(f"{pilot}/keys/regenerate", json=body)
            people = await browser.get(f"{_API}/users")

        assert (keys, regenerate, users) == (
            seen.status_code,
            changed.status_code,
            people.status_code,
        ), name
    async with httpx.AsyncClient(base_url=running.url) as nobody:
        assert 401 == (await nobody.get(f"{_API}/users")).status_code


def _write(home: Path, issuer: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "identity.toml").write_text(_IDENTITY.format(issuer=issuer))
    secret = home / "oidc.secret"
    secret.touch(mode=0o600)
    secret.write_text("a secret of the tests")


def _find_port() -> int:
    """A free one: the provider must be told before the server starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
