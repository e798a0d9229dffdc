import asyncio
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from cupola.identity import console
from cupola.identity.model import Principal, Vouched
from cupola.identity.service import Identity
from cupola.ids import UserId
from cupola.kit.clock import FakeClock
from cupola.kit.errors import (
    Conflict,
    CupolaError,
    Invalid,
    Malformed,
    NotFound,
    RateLimited,
    Unauthenticated,
)
from tests.identity.cheap import HERE, PASSWORD, cheap_identity

VOUCHED = Vouched("https://issuer", "7", "Grace Hopper", frozenset({"staff"}))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def identity(clock: FakeClock) -> Identity:
    return cheap_identity(clock)


async def test_a_token_says_who_its_user_is(identity: Identity):
    """From sign-in to the principal that everything else is decided by."""
    ada = await identity.create_user("ada", PASSWORD)
    session, token = await identity.sign_in("ada", PASSWORD, HERE, "a\nlaptop")

    assert Principal(ada, HERE, session.id, None) == await identity.authenticate(token, HERE)
    assert token.startswith("cup_")
    assert 4 + 43 == len(token)
    assert "a laptop" == session.label
    assert token.encode() not in session.digest


async def test_whoever_is_denied_learns_nothing(identity: Identity):
    """An unknown name, a wrong password, a disabled user and one without a password: the same."""
    await identity.create_user("ada", PASSWORD)
    bob = await identity.create_user("bob", PASSWORD)
    await identity.disable(bob.id)
    await identity.create_user("carl", None)
    said = set()
    tries = [
        ("nobody", PASSWORD),
        ("ada", "wrong"),
        ("bob", PASSWORD),
        ("carl", ""),
        ("ada", "x" * 999),
    ]
    for name, password in tries:
        with pytest.raises(Unauthenticated) as refused:
            await identity.sign_in(name, password, HERE, "test")
        said.add(refused.value.public)

    assert 1 == len(said)


async def test_guessing_waits_longer_and_longer(identity: Identity, clock: FakeClock):
    """After five wrong tries even the right password waits; then it is good again."""
    await identity.create_user("ada", PASSWORD)
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await identity.sign_in("ada", "wrong", HERE, "test")
    with pytest.raises(RateLimited) as first:
        await identity.sign_in("ada", PASSWORD, "10.0.0.9", "test")
    clock.advance(1.1)
    with pytest.raises(Unauthenticated):
        await identity.sign_in("ada", "wrong", HERE, "test")
    with pytest.raises(RateLimited) as second:
        await identity.sign_in("ada", PASSWORD, HERE, "test")
    clock.advance(2.1)
    await identity.sign_in("ada", PASSWORD, HERE, "test")

    assert 1 == first.value.retry_after
    assert 2 == second.value.retry_after


async def test_one_source_cannot_try_all_names(identity: Identity):
    """Twenty wrong tries of twenty names, and the address waits whatever it tries next."""
    for number in range(20):
        with pytest.raises(Unauthenticated):
            await identity.sign_in(f"name{number}", "wrong", f"2001:db8::{number}", "test")
    with pytest.raises(RateLimited):
        await identity.sign_in("another", "wrong", "2001:db8::ffff", "test")
    with pytest.raises(Unauthenticated):
        await identity.sign_in("another", "wrong", "2001:db8:1::1", "test")


async def test_parallel_guesses_are_counted(identity: Identity):
    """A hundred at once are not a hundred guesses for the price of one."""
    await identity.create_user("ada", PASSWORD)
    tries = [identity.sign_in("ada", f"wrong{n}", HERE, "test") for n in range(100)]
    ends = await asyncio.gather(*tries, return_exceptions=True)

    assert 5 == sum(isinstance(end, Unauthenticated) for end in ends)
    assert 95 == sum(isinstance(end, RateLimited) for end in ends)


async def test_an_ended_session_is_nobodys_at_once(identity: Identity):
    """Also where its token was recognised a moment ago; other sessions stay."""
    ada = await identity.create_user("ada", PASSWORD)
    one, first = await identity.open_session(ada, "one")
    _, second = await identity.open_session(ada, "two")
    await identity.authenticate(first, HERE)
    await identity.end_session(ada.id, one.id)
    with pytest.raises(Unauthenticated):
        await identity.authenticate(first, HERE)

    assert ada == (await identity.authenticate(second, HERE)).user
    assert ["two"] == [session.label for session in await identity.list_sessions(ada.id)]


async def test_what_another_process_ends_is_nobodys_within_a_second(clock: FakeClock):
    """Two servers on one database: neither believes what it recognised for longer than that."""
    here = cheap_identity(clock)
    there = cheap_identity(clock)
    there._users, there._sessions = here._users, here._sessions
    ada = await here.create_user("ada", PASSWORD)
    session, token = await here.open_session(ada, "one")
    await there.authenticate(token, HERE)
    await here.end_session(ada.id, session.id)
    clock.advance(1.0)
    with pytest.raises(Unauthenticated):
        await there.authenticate(token, HERE)


async def test_a_session_ends_by_itself(identity: Identity, clock: FakeClock):
    """When its time is over."""
    ada = await identity.create_user("ada", PASSWORD)
    _, token = await identity.open_session(ada, "one")
    clock.advance(999)
    await identity.authenticate(token, HERE)
    clock.advance(1)
    with pytest.raises(Unauthenticated):
        await identity.authenticate(token, HERE)


async def test_whoever_is_disabled_is_nobody(identity: Identity):
    """At once; and enabled again, has to sign in anew."""
    await identity.create_user("root", PASSWORD, administrator=True)
    ada = await identity.create_user("ada", PASSWORD)
    _, token = await identity.sign_in("ada", PASSWORD, HERE, "one")
    await identity.authenticate(token, HERE)
    await identity.disable(ada.id)
    with pytest.raises(Unauthenticated):
        await identity.authenticate(token, HERE)
    await identity.disable(ada.id, False)
    with pytest.raises(Unauthenticated):
        await identity.authenticate(token, HERE)

    await identity.sign_in("ada", PASSWORD, HERE, "two")


async def test_another_password_ends_sessions(identity: Identity):
    """Whoever stole the old one is out."""
    ada = await identity.create_user("ada", PASSWORD)
    _, token = await identity.sign_in("ada", PASSWORD, HERE, "one")
    await identity.set_password(ada.id, "another password")
    with pytest.raises(Unauthenticated):
        await identity.authenticate(token, HERE)
    with pytest.raises(Unauthenticated):
        await identity.sign_in("ada", PASSWORD, HERE, "one")

    await identity.sign_in("ada", "another password", HERE, "two")


async def test_a_token_makes_none_that_is_wider(identity: Identity):
    """Nor one that outlives it, if it is narrowed itself."""
    ada = await identity.create_user("ada", PASSWORD)
    _, whole = await identity.open_session(ada, "whole")
    wide = await identity.authenticate(whole, HERE)
    rights = frozenset({"read", "call"})
    session, token = await identity.open_session(
        ada, "narrow", scopes=rights, lifetime=50, opener=wide
    )
    narrow = await identity.authenticate(token, HERE)
    with pytest.raises(Malformed) as refused:
        await identity.open_session(ada, "x", scopes=rights | {"deploy"}, opener=narrow)
    child, _ = await identity.open_session(ada, "x", opener=narrow)

    assert rights == narrow.scopes
    assert ("scopes",) == refused.value.path
    assert (rights, session.expires) == (child.scopes, child.expires)


@pytest.mark.parametrize("lifetime", [0, -1, 10**9])
async def test_a_lifetime_has_bounds(identity: Identity, lifetime: int):
    """No token is for ever."""
    ada = await identity.create_user("ada", PASSWORD)
    with pytest.raises(Malformed):
        await identity.open_session(ada, "x", lifetime=lifetime)


@pytest.mark.parametrize(
    "name", ["", "a", "Ada", "ada smith", "ada\n", "-ada", "usr_ada", "console", "a" * 129, "adä"]
)
async def test_a_name_that_could_mislead_is_refused(identity: Identity, name: str):
    """It is shown to people, typed by them, and must be nobody else's."""
    with pytest.raises(Malformed) as refused:
        await identity.create_user(name, PASSWORD)

    assert ("name",) == refused.value.path


@pytest.mark.parametrize("password", ["", "short", "x" * 257, "\ud800" * 10])
async def test_a_password_has_a_length(identity: Identity, password: str):
    """Said where it is wrong, and what would be right; the password is not repeated."""
    with pytest.raises(Malformed) as refused:
        await identity.create_user("ada", password)

    assert ("password",) == refused.value.path
    assert refused.value.value is None


async def test_the_last_administrator_stays(identity: Identity):
    """Neither disabled nor demoted, until there is another."""
    ada = await identity.create_user("ada", PASSWORD, administrator=True)
    with pytest.raises(Conflict):
        await identity.disable(ada.id)
    with pytest.raises(Conflict):
        await identity.set_administrator(ada.id, False)
    bob = await identity.create_user("bob", PASSWORD)
    await identity.set_administrator(bob.id, True)

    assert not (await identity.set_administrator(ada.id, False)).administrator


async def test_unknown_users_are_not_found(identity: Identity):
    """With a message, not a fault."""
    with pytest.raises(NotFound):
        await identity.get_user(UserId("usr_x"))

    with pytest.raises(NotFound):
        await identity.get_user(UserId("\x00"))

    assert await identity.find_named("nobody") is None
    assert await identity.find_named("\ud800") is None


async def test_the_first_administrator_has_the_consoles_code(identity: Identity):
    """It works once; then there is an administrator, and no code any more."""
    code = await identity.ensure_first_link()
    assert code is not None
    with pytest.raises(Unauthenticated):
        await identity.claim_first("guess", "mallory", PASSWORD, HERE)
    with pytest.raises(Malformed):
        await identity.claim_first(code, "ada", "short", HERE)
    ada = await identity.claim_first(code, "ada", PASSWORD, HERE)
    with pytest.raises(Unauthenticated):
        await identity.claim_first(code, "mallory", PASSWORD, HERE)

    assert ada.administrator
    assert await identity.ensure_first_link() is None


async def test_the_first_code_serves_one_of_two(identity: Identity):
    """Who comes second is refused, even in the same moment."""
    code = await identity.ensure_first_link() or ""
    claims = [identity.claim_first(code, name, PASSWORD, HERE) for name in ("ada", "bob")]
    ends = await asyncio.gather(*claims, return_exceptions=True)

    assert 1 == sum(isinstance(end, Unauthenticated) for end in ends)
    assert 1 == len(await identity.list_users())


async def test_the_first_code_ends(identity: Identity, clock: FakeClock):
    """After an hour, and when another start made another."""
    old = await identity.ensure_first_link() or ""
    new = await identity.ensure_first_link() or ""
    with pytest.raises(Unauthenticated):
        await identity.claim_first(old, "ada", PASSWORD, HERE)
    clock.advance(3600)
    with pytest.raises(Unauthenticated):
        await identity.claim_first(new, "ada", PASSWORD, HERE)


async def test_a_subject_is_the_same_user_whatever_they_are_called(identity: Identity):
    """Their name stays as it was at first, and nobody is found by it."""
    grace = await identity.sign_in_vouched(VOUCHED)
    again = await identity.sign_in_vouched(replace(VOUCHED, name="ada"))

    assert "grace-hopper" == grace.name
    assert grace == again


async def test_a_providers_name_gives_nobody_elses_account(identity: Identity):
    """Neither a local user's, nor another subject's, nor the console's."""
    ada = await identity.create_user("ada", PASSWORD, administrator=True)
    other = await identity.sign_in_vouched(replace(VOUCHED, name="ada"))
    third = await identity.sign_in_vouched(replace(VOUCHED, subject="8", name="Ada"))
    console_ = await identity.sign_in_vouched(replace(VOUCHED, subject="9", name="console"))
    odd = await identity.sign_in_vouched(replace(VOUCHED, subject="10", name="usr_💥"))

    assert 5 == len({ada.id, other.id, third.id, console_.id, odd.id})
    assert ["ada-2", "ada-3", "console-2", "usr"] == [
        user.name for user in (other, third, console_, odd)
    ]
    assert not any(user.administrator for user in (other, third, console_, odd))


async def test_the_provider_decides_who_is_administrator(identity: Identity):
    """Each time anew, if the mapping says so; else nobody's word here is changed."""
    grace = await identity.sign_in_vouched(replace(VOUCHED, administrator=True))
    assert grace.administrator
    assert (await identity.sign_in_vouched(VOUCHED)).administrator
    grace = await identity.sign_in_vouched(replace(VOUCHED, administrator=False))

    assert not grace.administrator


async def test_who_is_disabled_here_is_not_let_in_by_a_provider(identity: Identity):
    """And has no password to change here either."""
    grace = await identity.sign_in_vouched(VOUCHED)
    with pytest.raises(Invalid):
        await identity.set_password(grace.id, PASSWORD)
    await identity.disable(grace.id)
    with pytest.raises(Unauthenticated):
        await identity.sign_in_vouched(VOUCHED)


async def test_the_console_is_this_machine_only(clock: FakeClock, tmp_path: Path):
    """With the token of the file, which others cannot read."""
    file = tmp_path / "console.token"
    file.write_text("left behind")
    token = console.write_console_token(file)
    identity = cheap_identity(clock, console_token=token)

    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert token == file.read_text()
    for source in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        principal = await identity.authenticate(token, source)
        assert ("console", True) == (principal.user.name, principal.user.administrator)
    for source in ("10.0.0.1", "::ffff:10.0.0.1", "unknown"):
        with pytest.raises(Unauthenticated):
            await identity.authenticate(token, source)


@pytest.mark.parametrize("token", ["", "cup_", "cup_" + "x" * 43, "\ud800", "' OR 1=1 --"])
async def test_no_text_is_a_token_by_chance(identity: Identity, token: str):
    """Whatever is sent is refused in the same words."""
    with pytest.raises(CupolaError) as refused:
        await identity.authenticate(token, HERE)

    assert isinstance(refused.value, Unauthenticated)
