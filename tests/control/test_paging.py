"""Pages follow one another, and a cursor is what it was when we gave it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from cupola.control.seal import NotOurs, Seal
from cupola.control.versions import read_expected
from cupola.db.database import Database
from cupola.ids import NAME
from cupola.kit.errors import Invalid
from tests.control.world import World, fill, make_world

SEAL = Seal(b"s" * 32)
VALUES = st.lists(st.text(max_size=40) | st.integers(), max_size=6)


@given(VALUES, st.text(max_size=20))
def test_what_is_sealed_is_opened(values: list[str | int], purpose: str):
    """Any text and number, for any purpose."""
    text = SEAL.close(purpose, values)

    assert values == SEAL.open(purpose, text)
    assert text.isascii()


@given(VALUES, st.integers(min_value=0), st.characters())
def test_a_changed_seal_is_broken(values: list[str | int], place: int, character: str):
    """Whichever character is another, or is added."""
    text = SEAL.close("list", values)
    place %= len(text)
    for changed in (text[:place] + character + text[place + 1 :], text + character, text[:-1]):
        if changed != text:
            with pytest.raises(NotOurs):
                SEAL.open("list", changed)


@given(st.text(max_size=2000))
def test_no_other_text_is_a_seal(text: str):
    """Nor one of another purpose, nor of another installation."""
    for seal, purpose, sealed in [
        (SEAL, "list", text),
        (SEAL, "list", SEAL.close("other", [text[:200]])),
        (Seal(b"t" * 32), "list", SEAL.close("list", [text[:200]])),
    ]:
        with pytest.raises(NotOurs):
            seal.open(purpose, sealed)


@given(st.text(max_size=40))
def test_an_etag_is_a_version_or_refused(text: str):
    """Never an error of ours."""
    try:
        expected = read_expected(text)
    except Invalid:
        return
    assert expected is None or expected >= -1


@given(st.text(max_size=40))
def test_names_are_labels_of_hosts(text: str):
    """Of 3 to 32 characters; nothing else passes, least of all a line's end."""
    if NAME.fullmatch(text):
        assert 3 <= len(text) <= 32
        assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert text[0].isalpha()
        assert not text.endswith("-")
    assert not NAME.fullmatch(f"{text}\n")


async def _walk(world: World, token: str, path: str, limit: int) -> list[str]:
    """Every item of a list, page by page."""
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"?limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        page = (await world.ask(token, "GET", path + query)).json()
        assert len(page["items"]) <= limit
        names += [str(each.get("name", each.get("sequence"))) for each in page["items"]]
        cursor = page["next"]
    return names


@pytest.mark.parametrize("limit", [1, 3, 7, 200])
async def test_pages_hold_every_item_once(database: Database, limit: int):
    """Of every kind of list, in its order."""
    world = await fill(make_world(database), database)
    for path in (
        "/users",
        "/models",
        "/instance-types",
        "/projects",
        "/projects/ours/endpoints",
        "/projects/ours/endpoints/ours-two/deployments",
    ):
        names = await _walk(world, "admin", path, limit)
        assert sorted(names) == names
        assert len(set(names)) == len(names) > 1
    lines = [int(each) for each in await _walk(world, "admin", "/audit", limit)]
    assert sorted(lines, reverse=True) == lines
    members = await _walk(world, "admin", "/projects/ours/members", limit)
    assert ["dora", "ivan", "olga", "rita"] == members


async def test_a_longer_list_takes_no_more_statements(database: Database):
    """What is told of each item is read with the page, not item by item."""
    world = await fill(make_world(database), database)
    counted: list[str] = []
    event.listen(
        database._engine.sync_engine, "before_cursor_execute", lambda *told: counted.append(told[2])
    )

    async def count(path: str) -> int:
        counted.clear()
        assert 200 == (await world.ask("admin", "GET", path)).status_code
        return len(counted)

    for path in ("/projects", "/projects/ours/endpoints", "/projects/ours/members", "/audit"):
        assert await count(f"{path}?limit=1") == await count(f"{path}?limit=200") <= 10


async def test_a_cursor_is_good_for_its_list_only():
    """Of another project's list, it is none."""
    world = await fill(make_world())
    page = (await world.ask("admin", "GET", "/projects/ours/endpoints?limit=1")).json()
    for path in ("/projects/theirs/endpoints", "/projects", "/audit"):
        reply = await world.ask("admin", "GET", f"{path}?cursor={page['next']}")
        assert (400, ["cursor"]) == (reply.status_code, reply.json()["error"]["path"])
    for limit in ("0", "201", "-1", "x", "1e3", ""):
        reply = await world.ask("admin", "GET", f"/projects?limit={limit}")
        assert (422, ["limit"]) == (reply.status_code, reply.json()["error"]["path"])
