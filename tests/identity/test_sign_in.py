"""The routes and pages of signing in, over a real socket and a real database."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cupola.identity.device import INTERVAL
from cupola.identity.tokens import new_token
from cupola.kit.clock import FakeClock
from cupola.kit.errors import Unauthenticated
from tests.identity.cheap import HERE, PASSWORD
from tests.identity.serving import Served, hidden, serving

API = "/management/v1"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def served(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Served]:
    async with serving(tmp_path, clock=clock) as served:
        yield served


async def sign_in(browser: httpx.AsyncClient, **fields: str) -> httpx.Response:
    """As the page's form does, with its hidden fields."""
    page = await browser.get("/sign-in")
    said = hidden(page) | {"name": "ada", "password": PASSWORD} | fields
    return await browser.post("/sign-in", data=said)


async def test_a_password_gives_a_token(served: Served):
    """Which is good until its session is ended; the reply is kept by nobody on the way."""
    ada = await served.identity.create_user("ada", PASSWORD)
    async with served.browser() as client:
        body = {"name": "ada", "password": PASSWORD, "label": "laptop"}
        reply = await client.post(f"{API}/sign-in", json=body)
        token = reply.json()["token"]
        principal = await served.identity.authenticate(token, HERE)
        headers = {"authorization": f"Bearer {token}"}
        out = await client.post(f"{API}/sign-out", headers=headers)
        again = await client.post(f"{API}/sign-out", headers=headers)

    assert ada == principal.user
    assert "no-store" == reply.headers["cache-control"]
    assert "set-cookie" not in reply.headers
    assert {"token", "expires", "session"} == reply.json().keys()
    assert ("laptop", None) == (
        reply.json()["session"]["label"],
        reply.json()["session"]["scopes"],
    )
    assert [204, 401] == [out.status_code, again.status_code]
    assert ["sessions.open ada", "sessions.end ada"] == await served.noted()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "ada", "password": "wrong"}, 401),
        ({"name": "nobody", "password": PASSWORD}, 401),
        ({"name": "ada", "password": "\ud800" * 10}, 422),
        ({"name": "\ud800", "password": PASSWORD}, 422),
        ({"name": "\x00", "password": PASSWORD}, 401),
        ({"name": "ada"}, 422),
        ({"name": 7, "password": PASSWORD}, 422),
        ({"name": "ada", "password": PASSWORD, "admin": True}, 422),
        ({"name": "a" * 1001, "password": PASSWORD}, 422),
        ([], 422),
    ],
    ids=str,
)
async def test_bad_sign_ins_are_refused(served: Served, body: object, status: int):
    """And leave nothing behind."""
    ada = await served.identity.create_user("ada", PASSWORD)
    async with served.browser() as client:
        headers = {"content-type": "application/json"}
        reply = await client.post(f"{API}/sign-in", content=json.dumps(body), headers=headers)

    assert status == reply.status_code
    assert [] == await served.identity.list_sessions(ada.id)


async def test_guesses_are_slowed_down_whatever_the_way(served: Served):
    """The page and the route count together; the page says how long to wait."""
    await served.identity.create_user("ada", PASSWORD)
    async with served.browser() as browser:
        for _ in range(3):
            await browser.post(f"{API}/sign-in", json={"name": "ada", "password": "wrong"})
        for _ in range(2):
            assert 401 == (await sign_in(browser, password="wrong")).status_code
        page = await sign_in(browser)
        reply = await browser.post(f"{API}/sign-in", json={"name": "ada", "password": PASSWORD})

    assert [429, 429] == [page.status_code, reply.status_code]
    assert int(page.headers["retry-after"]) >= 1
    assert "seconds" in page.text
    assert "cupola_session" not in browser.cookies


async def test_a_browser_signs_in_and_out(served: Served):
    """With a cookie that no script can read, and that other sites' forms do not send."""
    await served.identity.create_user("ada", PASSWORD)
    async with served.browser() as browser:
        done = await sign_in(browser, next="/sign-in/device?code=1")
        cookie = next(
            one for one in done.headers.get_list("set-cookie") if one.startswith("cupola_session")
        )
        token = browser.cookies["cupola_session"]
        page = await browser.get("/sign-in/done")
        out = await browser.post("/sign-in/out", data=hidden(page))

    assert (303, "/sign-in/device?code=1") == (done.status_code, done.headers["location"])
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert "<strong>ada</strong>" in page.text
    assert (303, "/sign-in") == (out.status_code, out.headers["location"])
    with pytest.raises(Unauthenticated):
        await served.identity.authenticate(token, HERE)


async def test_cookies_are_secure_where_the_address_is(tmp_path: Path):
    """Behind a proxy that speaks TLS the setting says so, since requests do not."""
    async with serving(tmp_path, public_url="https://cupola.example.com/") as served:
        await served.identity.create_user("ada", PASSWORD)
        async with served.browser() as browser:
            page = await browser.get("/sign-in")
            [form] = page.headers.get_list("set-cookie")
            reply = await browser.post(f"{API}/sign-in/device", json={})

    assert "Secure" in form
    assert "https://cupola.example.com/sign-in/device" == reply.json()["verification_uri"]


async def test_behind_a_trusted_proxy_callers_are_told_apart(tmp_path: Path):
    """One who guesses slows down nobody else, and cookies are secure where the caller's way is."""

    def said_of(address: str) -> dict[str, str]:
        return {"x-forwarded-for": address, "x-forwarded-proto": "https"}

    async with serving(tmp_path, proxies="127.0.0.1") as served, served.browser() as browser:
        for number in range(21):  # one more than an address has free
            body = {"name": f"nobody-{number}", "password": "wrong"}
            await browser.post(f"{API}/sign-in", json=body, headers=said_of("203.0.113.7"))
        body = {"name": "nobody", "password": "wrong"}
        tries = [
            await browser.post(f"{API}/sign-in", json=body, headers=said_of(address))
            for address in ("203.0.113.7", "203.0.113.8")
        ]
        page = await browser.get("/sign-in", headers=said_of("203.0.113.8"))
        device = await browser.post(
            f"{API}/sign-in/device", json={}, headers=said_of("203.0.113.8")
        )

    assert [429, 401] == [each.status_code for each in tries]
    assert "Secure" in page.headers["set-cookie"]
    assert device.json()["verification_uri"].startswith("https://")


async def test_the_consoles_token_counts_from_this_machine_only(tmp_path: Path):
    """Also where a proxy of this machine passes a request on."""
    token = {"authorization": "Bearer of-the-console"}
    async with (
        serving(tmp_path, proxies="127.0.0.1", console_token="of-the-console") as served,
        served.browser() as browser,
    ):
        here = await browser.get(f"{API}/me", headers=token)
        there = await browser.get(f"{API}/me", headers={**token, "x-forwarded-for": "203.0.113.7"})

    assert [200, 401] == [here.status_code, there.status_code]


@pytest.mark.parametrize(
    "after",
    [
        "https://evil.example.com",
        "//evil.example.com",
        "/\\evil.example.com",
        "\\\\evil.example.com",
        "/\t/evil.example.com",
        "javascript:alert(1)",
        "evil.example.com",
        "/\r\nset-cookie: a=b",
        "",
    ],
)
async def test_nobody_is_sent_elsewhere(served: Served, after: str):
    """Whatever a link to the sign-in page says."""
    await served.identity.create_user("ada", PASSWORD)
    async with served.browser() as browser:
        page = await browser.get("/sign-in", params={"next": after})
        said = hidden(page)
        done = await sign_in(browser, next=after)

    assert "/sign-in/done" == said["next"]
    assert "/sign-in/done" == done.headers["location"]


@pytest.mark.parametrize(
    "form",
    [
        lambda said: {k: v for k, v in said.items() if k != "form"},
        lambda said: {**said, "form": "0" * 64},
        lambda said: {**said, "form": "ü"},
    ],
    ids=["none", "other", "odd"],
)
async def test_a_form_of_another_site_is_refused(served: Served, form):
    """Without what only our page could know, nothing is done."""
    await served.identity.create_user("ada", PASSWORD)
    async with served.browser() as browser:
        said = hidden(await browser.get("/sign-in")) | {"name": "ada", "password": PASSWORD}
        refused = await browser.post("/sign-in", data=form(said))
        cross = await browser.post("/sign-in", data=said, headers={"sec-fetch-site": "cross-site"})
        browser.cookies.clear()
        cookieless = await browser.post("/sign-in", data=said)

    assert [403, 403, 403] == [refused.status_code, cross.status_code, cookieless.status_code]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"a" * 20_000, FORM, 413),
        (b"\xff=\xff", FORM, 400),
        (b"&".join(b"a=b" for _ in range(100)), FORM, 400),
        (b"{}", {"content-type": "application/json"}, 400),
        (b"", {}, 400),
    ],
)
async def test_odd_forms_are_refused(served: Served, content: bytes, kind, status: int):
    """Each with a page that says what to do."""
    async with served.browser() as browser:
        refused = await browser.post("/sign-in", content=content, headers=kind)

    assert status == refused.status_code
    assert refused.headers["content-type"].startswith("text/html")


async def test_pages_keep_to_themselves(served: Served):
    """In no frame, with no script but ours, kept by no cache; and what they show is escaped."""
    async with served.browser() as browser:
        page = await sign_in(browser, name='"><script>alert(1)</script>')
        style = await browser.get("/sign-in/assets/pages.css")
        script = await browser.get("/sign-in/assets/first.js")
        missing = await browser.get("/sign-in/assets/render.py")

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "no-store" == page.headers["cache-control"]
    assert "<script>alert" not in page.text
    assert [200, 200, 404] == [style.status_code, script.status_code, missing.status_code]
    assert "text/css" in style.headers["content-type"]
    assert "text/javascript" in script.headers["content-type"]


async def test_the_first_administrator_by_the_page(served: Served):
    """With the console's code; the page comes without it, so no log has it."""
    code = await served.identity.ensure_first_link() or ""
    async with served.browser() as browser:
        said = hidden(await browser.get("/sign-in/first")) | {"name": "ada", "password": PASSWORD}
        wrong = await browser.post("/sign-in/first", data=said | {"code": "guess"})
        short = await browser.post("/sign-in/first", data=said | {"code": code, "password": "x"})
        done = await browser.post("/sign-in/first", data=said | {"code": code})
        page = await browser.get(done.headers["location"])
        again = await browser.post("/sign-in/first", data=hidden(page) | said | {"code": code})

    assert [401, 422, 303] == [wrong.status_code, short.status_code, done.status_code]
    assert "at least 10 characters" in short.text
    assert f'value="{code}"' in short.text
    assert "<strong>ada</strong>" in page.text
    assert again.status_code in (401, 403)
    assert ["users.claim-first ada", "sessions.open ada"] == await served.noted()


async def test_the_first_administrator_by_the_route(served: Served):
    """The same for a command line."""
    code = await served.identity.ensure_first_link()
    body = {"code": code, "name": "ada", "password": PASSWORD}
    async with served.browser() as client:
        wrong = await client.post(f"{API}/sign-in/first", json=body | {"code": "guess"})
        done = await client.post(f"{API}/sign-in/first", json=body)
        again = await client.post(f"{API}/sign-in/first", json=body)

    principal = await served.identity.authenticate(done.json()["token"], HERE)
    assert [401, 200, 401] == [wrong.status_code, done.status_code, again.status_code]
    assert principal.user.administrator


async def test_a_command_line_is_let_in(served: Served, clock: FakeClock):
    """RFC 8628: codes, a page that asks, and a token for the one who polls."""
    ada = await served.identity.create_user("ada", PASSWORD)
    async with served.browser() as browser, served.browser() as command:
        reply = await command.post(f"{API}/sign-in/device", json={"label": "<b>laptop</b>"})
        codes = reply.json()
        poll = {"device_code": codes["device_code"]}
        pending = await command.post(f"{API}/sign-in/device/token", json=poll)
        hasty = await command.post(f"{API}/sign-in/device/token", json=poll)
        sent = await browser.get(codes["verification_uri_complete"])
        assert sent.headers["location"].startswith("/sign-in?next=%2Fsign-in%2Fdevice%3Fcode%3D")
        page = await browser.get(sent.headers["location"])
        said = hidden(page) | {"name": "ada", "password": PASSWORD}
        done = await browser.post("/sign-in", data=said)
        page = await browser.get(done.headers["location"])
        answer = hidden(page) | {"answer": "approve"}
        end = await browser.post("/sign-in/device", data=answer)
        clock.advance(INTERVAL * 3)
        granted = await command.post(f"{API}/sign-in/device/token", json=poll)
        clock.advance(INTERVAL * 3)
        spent = await command.post(f"{API}/sign-in/device/token", json=poll)

    assert {"authorization_pending", "slow_down"} == {
        one.json()["error"]["code"] for one in (pending, hasty)
    }
    assert "&lt;b&gt;laptop" in page.text
    assert codes["user_code"] in page.text
    assert "Did you start this yourself" in page.text
    assert 200 == end.status_code
    principal = await served.identity.authenticate(granted.json()["token"], HERE)
    assert ada == principal.user
    assert (400, "expired_token") == (spent.status_code, spent.json()["error"]["code"])


async def test_a_command_line_is_refused(served: Served, clock: FakeClock):
    """By the button, or because whoever confirmed it is disabled by now."""
    await served.identity.create_user("root", PASSWORD, administrator=True)
    ada = await served.identity.create_user("ada", PASSWORD)
    refusals = []
    async with served.browser() as browser:
        await sign_in(browser)
        for answer in ("deny", "approve"):
            codes = (await browser.post(f"{API}/sign-in/device", json={})).json()
            page = await browser.get(codes["verification_uri_complete"])
            await browser.post("/sign-in/device", data=hidden(page) | {"answer": answer})
            if answer == "approve":
                await served.identity.disable(ada.id)
            poll = {"device_code": codes["device_code"]}
            refusals.append((await browser.post(f"{API}/sign-in/device/token", json=poll)).json())

    assert ["access_denied"] * 2 == [refusal["error"]["code"] for refusal in refusals]


async def test_codes_cannot_be_guessed_on_the_page(served: Served):
    """Five wrong ones, and then waiting, whether by link or by form."""
    await served.identity.create_user("ada", PASSWORD)
    async with served.browser() as browser:
        await sign_in(browser)
        tries = [await browser.get("/sign-in/device?code=BCDFGHJK") for _ in range(6)]
        form = hidden(await browser.get("/sign-in/done"))
        posted = await browser.post("/sign-in/device", data=form | {"code": "BCDFGHJK"})

    assert [404] * 5 + [429] == [one.status_code for one in tries]
    assert 429 == posted.status_code


async def test_a_narrowed_token_lets_nothing_wider_in(served: Served):
    """Put into a browser's cookie it confirms no command line, which would have all rights."""
    ada = await served.identity.create_user("ada", PASSWORD)
    _, token = await served.identity.open_session(ada, "narrow", scopes=frozenset({"read"}))
    async with served.browser() as browser:
        browser.cookies.set("cupola_session", token)
        codes = (await browser.post(f"{API}/sign-in/device", json={})).json()
        page = await browser.get(codes["verification_uri_complete"])
        refused = await browser.post("/sign-in/device", data=hidden(page) | {"answer": "approve"})

    assert 403 == refused.status_code


async def test_the_cookie_needs_our_own_header(served: Served):
    """So that no form elsewhere can sign anybody out."""
    await served.identity.create_user("ada", PASSWORD)
    async with served.browser() as browser:
        await sign_in(browser)
        without = await browser.post(f"{API}/sign-out")
        out = await browser.post(f"{API}/sign-out", headers={"x-cupola-request": "1"})
        nobody = await browser.post(f"{API}/sign-out")

    assert [403, 204, 401] == [without.status_code, out.status_code, nobody.status_code]


async def test_no_provider_is_said_so(served: Served):
    """As a page, since a browser asks."""
    async with served.browser() as browser:
        replies = [await browser.get(f"{API}/sign-in/oidc{path}") for path in ("", "/callback")]

    assert [404, 404] == [reply.status_code for reply in replies]
    assert all("password" in reply.text for reply in replies)


async def test_signing_in_leaves_others_in_peace(served: Served):
    """Twenty at once, each their own session."""
    for number in range(20):
        await served.identity.create_user(f"user{number}", PASSWORD)
    async with served.browser() as client:
        bodies = [{"name": f"user{number}", "password": PASSWORD} for number in range(20)]
        replies = await asyncio.gather(
            *(client.post(f"{API}/sign-in", json=body) for body in bodies)
        )

    assert {200} == {reply.status_code for reply in replies}
    assert 20 == len({reply.json()["token"] for reply in replies})


async def test_the_console_confirms_nothing(tmp_path: Path):
    """It has no sessions to give away; said, and no fault."""
    token = new_token()
    async with serving(tmp_path, console_token=token) as served, served.browser() as browser:
        browser.cookies.set("cupola_session", token)
        codes = (await browser.post(f"{API}/sign-in/device", json={})).json()
        page = await browser.get(codes["verification_uri_complete"])
        refused = await browser.post("/sign-in/device", data=hidden(page) | {"answer": "approve"})
        out = await browser.post(f"{API}/sign-out", headers={"authorization": f"Bearer {token}"})

    assert [403, 204] == [refused.status_code, out.status_code]
