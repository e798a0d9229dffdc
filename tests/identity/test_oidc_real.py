"""Signing in with a real provider: `oidc-provider` under Node, driven as a browser would."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from cupola.identity.mapping import OidcConfig
from cupola.identity.oidc import OidcProvider
from cupola.identity.ports import Provider
from cupola.kit.clock import SystemClock
from tests.identity.serving import (
    CALLBACK,
    NodeProvider,
    Served,
    ensure_node,
    serving,
    start_provider,
    stop_provider,
)

_BEGIN = "/management/v1/sign-in/oidc"


@dataclass
class Both:
    """A Cupola, and the provider it was told of."""

    served: Served
    provider: NodeProvider


@pytest.fixture(params=["userinfo", "id_token"])
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Both]:
    node, started = ensure_node(), []

    def provide(redirect: str) -> Provider:
        started.append(start_provider(node, redirect, request.param))
        config = OidcConfig(
            started[0].issuer,
            "cupola",
            "a secret of the tests",
            name="the tests' provider",
            scopes=("openid", "profile", "groups"),
            administrators=frozenset({"platform-team"}),
        )
        return OidcProvider(config, SystemClock())

    async with serving(tmp_path, provide=provide) as served:
        try:
            yield Both(served, started[0])
        finally:
            stop_provider(started[0])


async def _go_to_provider(browser: httpx.AsyncClient, begin: str = _BEGIN) -> httpx.Response:
    """The provider's first answer."""
    reply = await browser.get(begin)
    assert 303 == reply.status_code
    return await browser.get(reply.headers["location"])


async def _log_in(browser: httpx.AsyncClient, page: httpx.Response, name: str) -> str:
    """Fill in the provider's forms; the address it sends the browser back to."""
    for _ in range(10):
        if page.has_redirect_location:
            address = str(page.next_request.url if page.next_request else "")
            if CALLBACK in address:
                return address
            page = await browser.get(address)
            continue
        action = re.search(r'action="([^"]+)"', page.text)
        prompt = re.search(r'name="prompt" value="(\w+)"', page.text)
        assert action, page.text
        assert prompt, page.text
        fields = {"prompt": prompt[1], "login": name, "password": "any"}
        page = await browser.post(str(page.url.join(action[1])), data=fields)
    raise AssertionError("The provider never sent the browser back.")


async def sign_in(browser: httpx.AsyncClient, name: str, begin: str = _BEGIN) -> httpx.Response:
    page = await _go_to_provider(browser, begin)
    return await browser.get(await _log_in(browser, page, name))


async def test_a_person_signs_in(both: Both):
    """The page's link, the provider's forms, and back, signed in, with the groups told."""
    async with both.served.browser() as browser:
        page = await browser.get("/sign-in")
        assert "Sign in with the tests&#39; provider" in page.text
        done = await sign_in(browser, "ada", f"{_BEGIN}?next=/sign-in/device")
        shown = await browser.get(done.headers["location"])

    [user] = await both.served.identity.list_users()
    assert (303, "/sign-in/device") == (done.status_code, done.headers["location"])
    assert "signed in as <strong>ada</strong>" in shown.text
    assert (both.provider.issuer, "ada", True) == (user.issuer, user.subject, user.administrator)
    assert [("ada", frozenset({"platform-team", "search-team"}))] == both.served.told


async def test_the_same_person_is_the_same_user(both: Both):
    """Another time, in another browser; somebody else is somebody else, and no administrator."""
    for name in ("ada", "ada", "grace"):
        async with both.served.browser() as browser:
            assert 303 == (await sign_in(browser, name)).status_code

    users = await both.served.identity.list_users()
    assert [("ada", True), ("grace", False)] == [(u.name, u.administrator) for u in users]


async def test_a_new_key_is_asked_for(both: Both, monkeypatch: pytest.MonkeyPatch):
    """Who signs in after the provider has changed its key is not turned away."""
    monkeypatch.setattr("cupola.identity.oidc._KEYS_PAUSE", 0.0)
    async with both.served.browser() as browser:
        assert 303 == (await sign_in(browser, "ada")).status_code
    await both.provider.rotate()
    async with both.served.browser() as browser:
        assert 303 == (await sign_in(browser, "grace")).status_code


async def test_made_up_keys_are_not_asked_for_again_and_again(both: Both):
    """Within the pause a rotation is not seen: the price of not being made to ask by strangers."""
    async with both.served.browser() as browser:
        assert 303 == (await sign_in(browser, "ada")).status_code
    await both.provider.rotate()
    async with both.served.browser() as browser:
        refused = await sign_in(browser, "grace")

    assert 401 == refused.status_code
    assert "cupola_session" not in browser.cookies


async def test_another_browsers_answer_is_refused(both: Both):
    """Nobody is signed in as somebody else by a link that somebody else began."""
    async with both.served.browser() as attacker, both.served.browser() as victim:
        address = await _log_in(attacker, await _go_to_provider(attacker), "alan")
        without = await victim.get(address)
        await _go_to_provider(victim)
        other = await victim.get(address)

    assert [401, 401] == [without.status_code, other.status_code]
    assert "cupola_session" not in victim.cookies
    assert [] == await both.served.identity.list_users()


@pytest.mark.parametrize(
    "change",
    [
        lambda said: {**said, "state": "other"},
        lambda said: {k: v for k, v in said.items() if k != "state"},
        lambda said: {**said, "iss": "https://other.example.com"},
        lambda said: {k: v for k, v in said.items() if k != "iss"},
        lambda said: {**said, "code": "guess"},
        lambda said: {k: v for k, v in said.items() if k != "code"},
        lambda said: {"state": said["state"], "iss": said["iss"], "error": "access_denied"},
    ],
    ids=["state", "no-state", "issuer", "no-issuer", "code", "no-code", "error"],
)
async def test_an_answer_that_was_changed_is_refused(
    both: Both, change: Callable[[dict[str, str]], dict[str, str]]
):
    """Each part of it; with a page that says what to do."""
    async with both.served.browser() as browser:
        address = await _log_in(browser, await _go_to_provider(browser), "ada")
        said = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        refused = await browser.get(CALLBACK, params=change(said))

    assert 401 == refused.status_code
    assert "/sign-in" in refused.text
    assert [] == await both.served.identity.list_users()


async def test_an_answer_serves_once(both: Both):
    """The second time the browser has nothing left that it belongs to."""
    async with both.served.browser() as browser:
        address = await _log_in(browser, await _go_to_provider(browser), "ada")
        first = await browser.get(address)
        second = await browser.get(address)

    assert [303, 401] == [first.status_code, second.status_code]


async def test_whoever_is_disabled_here_stays_out(both: Both):
    """Whatever the provider says."""
    async with both.served.browser() as browser:
        await sign_in(browser, "grace")
        [grace] = await both.served.identity.list_users()
        await both.served.identity.disable(grace.id)
        refused = await sign_in(browser, "grace")

    assert 401 == refused.status_code
    assert "disabled" in refused.text
