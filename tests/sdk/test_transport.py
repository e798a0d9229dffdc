"""What the client does with replies of every kind, sync and async, over real sockets."""

import asyncio
import inspect
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cupola import sdk
from cupola.sdk._async import transport as async_transport
from cupola.sdk._sync import transport as sync_transport
from tests.http.certificates import make_certificate
from tests.sdk.scripted import Canned, page, refusal, scripted

PROJECT = {"name": "shop", "created": "2026-11-21T20:00:00Z", "version": 3, "later": {"x": 1}}
Use = Callable[..., Any]


def call_sync(url: str, use: Use, **options: Any) -> Any:
    with sdk.Cupola(url, "token", **options) as client:
        result = use(client)
        return list(result) if inspect.isgenerator(result) else result


def call_async(url: str, use: Use, **options: Any) -> Any:
    async def run() -> Any:
        async with sdk.AsyncCupola(url, "token", **options) as client:
            result = use(client)
            if inspect.isasyncgen(result):
                return [each async for each in result]
            return await result

    return asyncio.run(run())


@pytest.fixture(params=[call_sync, call_async], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Use:
    """A client of either kind, used once."""
    chosen: Use = request.param
    return chosen


def test_what_is_unknown_is_passed_over(call: Use):
    """A newer server's fields disturb nobody, an older one's lacks have defaults."""
    with scripted(Canned(body=PROJECT)) as script:
        project = call(script.url, lambda client: client.projects.get("shop"))

    assert "shop" == project.name
    assert 3 == project.version
    assert "2026-11-21T20:00:00+00:00" == project.created.isoformat()
    assert project.core_quota is None
    assert "/management/v1/projects/shop" == script.asked[0].path
    assert "Bearer token" == script.asked[0].headers["authorization"]


def test_lists_go_on(call: Use):
    """The next page is asked for with the cursor of the one before."""
    with scripted(page([PROJECT], "c=1&"), page([PROJECT | {"name": "two"}])) as script:
        found = call(script.url, lambda client: client.projects.list())

    assert ["shop", "two"] == [each.name for each in found]
    assert "/management/v1/projects?limit=200&cursor=c%3D1%26" == script.asked[1].path


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, sdk.Invalid),
        (401, sdk.Unauthenticated),
        (403, sdk.Forbidden),
        (404, sdk.NotFound),
        (409, sdk.Conflict),
        (412, sdk.Stale),
        (413, sdk.TooLarge),
        (422, sdk.Invalid),
        (500, sdk.ServerFailed),
        (502, sdk.ServerFailed),
    ],
)
def test_refusals_have_types(call: Use, status: int, kind: type[sdk.Refused]):
    """Each carries what was said: message, place, and the request's id."""
    said = refusal(
        status, "some_code", "Wrong.", path=["a", 0], mend="Right.", request_id="r1", details=[]
    )
    with scripted(said) as script, pytest.raises(kind) as caught:
        call(script.url, lambda client: client.me())

    assert kind is type(caught.value)
    assert ("some_code", "Wrong.", ("a", 0), "Right.", "r1") == (
        *(caught.value.code, caught.value.message, caught.value.path),
        *(caught.value.mend, caught.value.request_id),
    )


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": "no"}', b"null", b""])
def test_strange_refusals_are_refusals(call: Use, body: bytes):
    """A proxy's page is told by its status."""
    with scripted(Canned(403, body)) as script, pytest.raises(sdk.Forbidden):
        call(script.url, lambda client: client.me())


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b'{"user": {"id": 1, "name": "x"}}', b"null"]
)
def test_strange_replies_are_told(call: Use, body: bytes):
    """Whatever is no management API is not taken for one."""
    with scripted(Canned(200, body)) as script, pytest.raises(sdk.BadReply, match="reply"):
        call(script.url, lambda client: client.me())


def test_sent_again_with_the_same_key(call: Use):
    """A broken connection is tried again, and the server can tell that it is the same request."""
    with scripted(Canned(None), Canned(201, PROJECT)) as script:
        call(script.url, lambda client: client.projects.create("shop"))
    keys = [each.headers["idempotency-key"] for each in script.asked]

    assert 2 == len(keys)
    assert keys[0] == keys[1]


def test_waits_as_told(call: Use, monkeypatch: pytest.MonkeyPatch):
    """503 with `Retry-After` is tried again after that time, and no sooner."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(sync_transport, "sleep", slept.append)
    monkeypatch.setattr(async_transport, "sleep", sleep)
    busy = refusal(503, "unavailable", "Starting.", headers={"retry-after": "17"})
    with scripted(busy, Canned(body=PROJECT)) as script:
        call(script.url, lambda client: client.projects.get("shop"))

    assert [17] == slept
    assert 2 == len(script.asked)


def test_too_long_a_wait_is_told(call: Use):
    """Rather than sleep for an hour, the caller is told of it."""
    busy = refusal(429, "rate_limited", "Slower.", headers={"retry-after": "3600"})
    with scripted(busy) as script, pytest.raises(sdk.RateLimited) as caught:
        call(script.url, lambda client: client.me())

    assert 3600 == caught.value.retry_after


def test_not_for_ever(call: Use):
    """After the last retry the reply is the answer."""
    busy = refusal(503, "unavailable", "Starting.", headers={"retry-after": "0"})
    with scripted(busy, busy) as script, pytest.raises(sdk.Unavailable):
        call(script.url, lambda client: client.me(), retries=1)


def test_secrets_are_asked_for_once(call: Use):
    """A key that was made, but whose reply was lost, is not made a second time."""
    with scripted(Canned(None)) as script, pytest.raises(sdk.Unreachable):
        call(script.url, lambda client: client.project_keys.create("ci"))

    assert 1 == len(script.asked)


def test_change_of_a_version_is_sent_once(call: Use):
    """It would be refused by its own first attempt."""
    with scripted(Canned(None)) as script, pytest.raises(sdk.Unreachable):
        call(
            script.url,
            lambda client: client.projects.update("shop", display_name="x", if_version=3),
        )

    assert '"3"' == script.asked[0].headers["if-match"]


def test_lost_deletion_is_a_deletion(call: Use):
    """What is not there the second time was deleted the first time."""
    with scripted(Canned(None), refusal(404, "not_found", "No.")) as script:
        call(script.url, lambda client: client.projects.delete("shop"))

    assert 2 == len(script.asked)


def test_nobody_there(call: Use):
    """The message names the server, and what to look at."""
    with pytest.raises(sdk.Unreachable, match=r"http://127\.0\.0\.1:1 cannot be reached"):
        call("http://127.0.0.1:1", lambda client: client.me(), retries=0)


def test_names_do_not_lead_elsewhere(call: Use):
    """A slash in a name stays in the name; dots and nothing are no names."""
    with scripted(Canned(body=PROJECT)) as script:
        call(script.url, lambda client: client.projects.get("../users"))
        assert "/management/v1/projects/..%2Fusers" == script.asked[0].path
        for name in ("", ".", ".."):
            with pytest.raises(sdk.CupolaError, match="names nothing"):
                call(script.url, lambda client, name=name: client.projects.get(name))


def test_waiting_tells_of_progress(call: Use):
    """Each step is told, and a failure is raised with its reason."""
    states = [
        {"id": "o", "status": "running", "progress": 0.43, "reason": "downloading 43 %"},
        {"id": "o", "status": "failed", "reason": "The disk is full."},
    ]
    told: list[sdk.Operation] = []
    replies = [Canned(body=each) for each in states]
    failure = pytest.raises(sdk.OperationFailed, match="The disk is full")
    with scripted(*replies) as script, failure:
        call(script.url, lambda client: client.operations.wait("o", on_progress=told.append))

    assert [0.43, None] == [each.progress for each in told]


def test_device_is_let_in_once_confirmed(call: Use):
    """The program asks until somebody has confirmed, slower if told to."""
    code = sdk.DeviceCode("d", "ABCD", "http://x", interval=0.01, expires_in=60)
    with scripted(
        refusal(400, "authorization_pending", "Not yet."), Canned(body={"token": "cup_x"})
    ) as script:
        signed = call(script.url, lambda client: client.sign_in.wait_device(code))

    assert "cup_x" == signed.token
    assert b'{"device_code": "d"}' == script.asked[1].body


def test_device_is_refused(call: Use):
    """Whoever declines ends the waiting."""
    code = sdk.DeviceCode("d", "ABCD", "http://x", interval=0.01)
    said = refusal(400, "access_denied", "Declined")
    with scripted(said) as script, pytest.raises(sdk.Invalid, match="Declined"):
        call(script.url, lambda client: client.sign_in.wait_device(code))


def test_log_comes_line_by_line(call: Use):
    """And a refusal of the stream is an error like any other."""
    with scripted(Canned(200, b"one\ntwo\n")) as script:
        lines = call(script.url, lambda client: client.endpoints.iter_log("chat"))
    assert ["one", "two"] == lines
    said = refusal(404, "not_found", "No such.")
    with scripted(said) as script, pytest.raises(sdk.NotFound, match="No such"):
        call(script.url, lambda client: client.endpoints.iter_log("chat"))


def test_operation_of_a_change(call: Use):
    """What was started is in the result."""
    reply = Canned(
        202,
        {"name": "chat"},
        {"operation-location": "/management/v1/operations/op_1"},
    )
    with scripted(reply) as script:
        endpoint = call(
            script.url, lambda client: client.endpoints.update("chat", traffic={"a": 100})
        )

    assert "op_1" == endpoint.operation
    assert b'{"traffic": {"a": 100}}' == script.asked[0].body


def test_address_is_checked():
    """A server's address without a scheme is refused with what it looks like."""
    with pytest.raises(sdk.CupolaError, match="looks like http://"):
        sdk.Cupola("localhost:8100")


def test_own_authority(call: Use, tmp_path: Path):
    """Trusted if its certificate is named, and refused with the mend if not."""
    context, certificate = make_certificate(tmp_path, "IP:127.0.0.1")
    with scripted(Canned(body=PROJECT), tls=context) as script:
        found = call(
            script.url, lambda client: client.projects.get("shop"), verify=str(certificate)
        )
        assert "shop" == found.name
        with pytest.raises(sdk.Unreachable, match="not trusted here"):
            call(script.url, lambda client: client.projects.get("shop"), retries=0)


def test_missing_authority(tmp_path: Path):
    """A file that is not there is told as such."""
    with pytest.raises(OSError, match="No such file"):
        sdk.Cupola("https://127.0.0.1:1", verify=str(tmp_path / "none.pem"))


def test_backup_is_whole_or_not_there(call: Use, tmp_path: Path):
    """The file is its owner's alone; of one that was refused nothing is left."""
    content = bytes(range(256)) * 1000
    with scripted(Canned(200, content)) as script:
        call(script.url, lambda client: client.backup(tmp_path / "b.tar"))
    with (
        scripted(refusal(403, "forbidden", "No.")) as script,
        pytest.raises(sdk.Forbidden),
    ):
        call(script.url, lambda client: client.backup(tmp_path / "c.tar"))

    assert content == (tmp_path / "b.tar").read_bytes()
    assert 0o600 == stat.S_IMODE((tmp_path / "b.tar").stat().st_mode)
    assert ["b.tar"] == [path.name for path in tmp_path.iterdir()]
