"""The client against the real management API: uvicorn, SQLite, identity, services."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cupola.sdk import (
    AsyncCupola,
    Conflict,
    Cupola,
    Forbidden,
    Invalid,
    NotFound,
    OperationFailed,
    Stale,
    Unauthenticated,
)
from tests.control.live import LOG, Live, live
from tests.patience import PATIENCE

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "platform.yaml"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(tmp_path_factory.mktemp("sdk") / "home") as started:
        yield started


@pytest.fixture
def client(server: Live) -> Iterator[Cupola]:
    with Cupola(server.url, server.token) as opened:
        yield opened


def test_who_am_i(client: Cupola):
    """The console is an administrator without being a user."""
    me = client.me()

    assert ("console", True) == (me.user.name, me.administrator)


def test_unknown_token(server: Live):
    """It is nobody's."""
    with Cupola(server.url, "cup_nothing") as stranger, pytest.raises(Unauthenticated):
        stranger.me()


def test_projects_and_people(client: Cupola):
    """Made, shown, changed with the version that was read, and taken away."""
    made = client.projects.create("shop-one", display_name="Shop", core_quota=4)
    ada = client.users.create("ada", password="correct horse battery")
    member = client.projects.put_member("shop-one", "ada", "developer")
    changed = client.projects.update("shop-one", display_name="Store", if_version=made.version)

    assert (ada.id, "developer", "ada") == (member.user, member.role, member.name)
    assert ["ada"] == [each.name for each in client.projects.list_members("shop-one")]
    assert "Store" == changed.display_name
    with pytest.raises(Stale):
        client.projects.update("shop-one", display_name="Late", if_version=made.version)
    with pytest.raises(Conflict):
        client.projects.create("shop-one")
    client.projects.remove_member("shop-one", "ada")
    client.projects.delete("shop-one")
    with pytest.raises(NotFound):
        client.projects.get("shop-one")
    assert client.users.update("ada", disabled=True).disabled
    assert "ada" in [each.name for each in client.users.list()]


def test_tokens_for_programs(server: Live):
    """No wider than asked for, listed, and nobody's once ended."""
    with Cupola(server.url, server.session) as olga:
        made = olga.sessions.create("batch", scopes=["read"], lifetime=600)
        assert made.session
        assert "batch" in [each.label for each in olga.sessions.list()]
        with Cupola(server.url, made.token) as narrow:
            assert ("read",) == narrow.me().scopes
            with pytest.raises(Forbidden):
                narrow.projects.create("wide")
            with pytest.raises(Invalid, match="lacks"):
                narrow.sessions.create("wider", scopes=["read", "deploy"])
        with pytest.raises(Invalid) as caught:
            olga.sessions.create("odd", scopes=["everything"])
        assert ("scopes", 0) == caught.value.path
        olga.sessions.delete(made.session.id)
        with Cupola(server.url, made.token) as ended, pytest.raises(Unauthenticated):
            ended.me()


def test_signing_in_and_out(client: Cupola, server: Live):
    """A password opens a session; signing out ends it."""
    client.users.create("mona", password="correct horse 9")
    with Cupola(server.url) as anybody:
        with pytest.raises(Unauthenticated):
            anybody.sign_in.password("mona", "wrong")
        signed = anybody.sign_in.password("mona", "correct horse 9")
    with Cupola(server.url, signed.token) as mona:
        assert "mona" == mona.me().user.name
        mona.sign_in.sign_out()
        with pytest.raises(Unauthenticated):
            mona.me()


def test_models(client: Cupola):
    """Filters find; an own entry comes and goes."""
    assert ["Cupola-Pilot"] == [each.name for each in client.models.list(text="cupola pilot")]
    assert "Apache-2.0" == client.models.get("Cupola-Pilot").license
    assert "my-model" == client.models.add("my-model", repository="me/my-model").name
    with pytest.raises(NotFound, match="nothing"):
        client.models.get("nothing")


def test_serverless_from_offer_to_log(client: Cupola):
    """Terms, endpoint, waiting with progress, keys, change, log, end."""
    with pytest.raises(Conflict, match="not accepted"):
        client.endpoints.create_serverless("slow-chat", "Cupola-Pilot")
    assert "Cupola-Pilot" == client.subscriptions.accept("Cupola-Pilot").model
    made = client.endpoints.create_serverless("slow-chat", "Cupola-Pilot", tags={"a": "b"})
    told: list[float | None] = []
    ready = client.endpoints.wait("slow-chat", on_progress=lambda each: told.append(each.progress))
    before = client.endpoints.get_keys("slow-chat")
    after = client.endpoints.regenerate_key("slow-chat", "primary")

    assert made.operation
    assert "succeeded" == client.operations.wait(made.operation).status
    assert 0.43 in told
    assert ("ready", {"a": "b"}) == (ready.state, ready.tags)
    assert before.primary_key != after.primary_key
    assert before.secondary_key == after.secondary_key
    limits = {"tokens_per_minute": 5, "requests_per_minute": None}
    assert 5 == client.endpoints.update("slow-chat", limits=limits).limits.tokens_per_minute
    assert LOG.splitlines() == list(client.endpoints.iter_log("slow-chat"))
    client.endpoints.delete("slow-chat")
    assert [] == [each for each in client.endpoints.list() if each.name == "slow-chat"]


def test_managed_with_two_deployments(client: Cupola):
    """Blue and green, a split, more instances, and what does not fit is told."""
    client.endpoints.create_managed(
        "search", "Cupola-Pilot", instance_type="small", deployment="blue"
    )
    client.endpoints.put_deployment("search", "green", model="Cupola-Pilot", instance_type="small")
    split = client.endpoints.update("search", traffic={"blue": 90, "green": 10})

    assert {"blue": 90, "green": 10} == split.traffic
    assert 2 == client.endpoints.update_deployment("search", "green", instances=2).instances
    assert ["blue", "green"] == [each.name for each in client.endpoints.list_deployments("search")]
    with pytest.raises(Invalid) as caught:
        client.endpoints.update("search", traffic={"blue": 90})
    assert ("traffic",) == caught.value.path
    with pytest.raises(Conflict, match="cores"):
        client.endpoints.update_deployment("search", "green", instances=50)
    with pytest.raises(Conflict):
        client.endpoints.delete_deployment("search", "green")
    client.endpoints.update("search", traffic={"blue": 100, "green": 0})
    client.endpoints.delete_deployment("search", "green")
    client.endpoints.delete("search")


def test_failure_has_its_reason(client: Cupola, server: Live):
    """Waiting for what cannot start ends with why, and what to do."""
    server.fleet.broken.add("unlucky")
    client.endpoints.create_managed("unlucky", "Cupola-Pilot", instance_type="small")
    with pytest.raises(OperationFailed, match=r"out of memory\. Choose Q4_K_M"):
        client.endpoints.wait("unlucky", timeout=PATIENCE)
    client.endpoints.delete("unlucky")


def test_project_keys_and_audit(client: Cupola, server: Live):
    """A key is shown once; the log knows who made what, and no secret."""
    expires = datetime.fromtimestamp(2**32, UTC)
    ours = client.project_keys.create("cd", expires=expires)
    with Cupola(server.url, server.session) as olga:
        made = olga.project_keys.create("ci", expires=expires)

    console, listed = client.project_keys.list()
    assert made.key
    assert ("cd", "console") == (console.name, console.made_by)
    assert ("ci", None, expires) == (listed.name, listed.key, listed.expires)
    entries = [*client.audit.list(project="default")]
    assert {("console", "cd"), ("olga", "ci")} <= {(e.actor, e.target) for e in entries}
    assert made.key not in str(entries)
    for key in (made, ours):
        client.project_keys.delete(key.id)
    assert [] == [*client.project_keys.list()]


def test_instance_types(client: Cupola):
    """Offered, shown, and no more."""
    client.instance_types.put("huge", cores=64, memory=2**38)

    assert 64 == client.instance_types.get("huge").cores
    assert "huge" in [each.name for each in client.instance_types.list()]
    client.instance_types.delete("huge")
    with pytest.raises(NotFound):
        client.instance_types.get("huge")


def test_many_pages(client: Cupola):
    """Lists of more than a page come whole."""
    for number in range(205):
        client.instance_types.put(f"type-{number:03}", cores=1, memory=2**30)

    names = [each.name for each in client.instance_types.list()]
    assert 205 == len([name for name in names if name.startswith("type-")])
    assert sorted(names) == names


def test_async_does_the_same(server: Live):
    """Lists with `async for`, calls with `await`."""

    async def run() -> tuple[str, list[str]]:
        async with AsyncCupola(server.url, server.token) as client:
            made = await client.endpoints.create_managed(
                "asynchronous", "Cupola-Pilot", instance_type="small"
            )
            await client.endpoints.wait("asynchronous", timeout=PATIENCE)
            names = [each.name async for each in client.endpoints.list()]
            await client.endpoints.delete("asynchronous")
            return made.name, names

    name, names = asyncio.run(run())
    assert name in names


def test_apply_twice(client: Cupola):
    """The second time all is unchanged; a dry run changes nothing."""
    text = EXAMPLE.read_text("utf-8")
    planned = client.plan(text)
    with pytest.raises(NotFound):
        client.projects.get("shop")
    applied = client.apply(text)

    assert planned == applied
    assert not applied.is_empty
    assert client.apply(text).is_empty
    assert {"blue": 90, "green": 10} == client.endpoints.get("shop-search", project="shop").traffic


def test_all_or_nothing(client: Cupola):
    """A document of which one part is not possible changes nothing, and says which part."""
    text = """
version: 1
projects:
  half:
    endpoints:
      half-one:
        kind: serverless
        deployments: {half-one: {model: Cupola-Pilot}}
"""
    for carry_out in (client.plan, client.apply):
        with pytest.raises(Conflict, match=r"endpoint half/half-one: .* Add it to the project's"):
            carry_out(text)
    with pytest.raises(NotFound):
        client.projects.get("half")


def test_bad_document(client: Cupola):
    """4xx with the line and the path, never 500."""
    with pytest.raises(Invalid, match=r"Line 3, projects\.x1x\.nothing: there is no such"):
        client.plan("version: 1\nprojects:\n  x1x: {nothing: 1}\n")
    for text in ("", "[", "a: *b", "version: 1\nprojects: {A: {}}", "\x00"):
        with pytest.raises(Invalid):
            client.plan(text)


def test_wiped_and_applied(tmp_path: Path):
    """What was exported, wiped and applied is there again, keys included."""
    with live(tmp_path / "home") as server, Cupola(server.url, server.token) as client:
        notes = client.apply(EXAMPLE.read_text("utf-8")).notes
        assert ["The user ada has no password yet. An administrator sets one."] == [*notes]
        client.endpoints.regenerate_key("shop-chat", "secondary", project="shop")
        keys = client.endpoints.get_keys("shop-chat", project="shop")
        document = client.export()
        assert client.plan(document, prune=True).is_empty
    for file in (tmp_path / "home").glob("cupola.db*"):
        file.unlink()
    with live(tmp_path / "home") as server, Cupola(server.url, server.token) as client:
        client.apply(document, prune=True)

        assert document == client.export()
        assert keys == client.endpoints.get_keys("shop-chat", project="shop")
        assert client.plan(document, prune=True).is_empty


MANAGED = """
version: 1
projects:
  evolving:
    endpoints:
      evolving-one:
        kind: managed
        deployments:
          blue: {model: Cupola-Pilot, instance_type: small, instances: 1%s}
          green: {model: Cupola-Pilot, instance_type: small, instances: 1}
        traffic: {blue: %d, green: %d}
"""


def test_changes_are_applied(client: Cupola):
    """A change of what replicas run is a new revision, a split is not; keys and age stay."""
    client.apply(MANAGED % ("", 100, 0))
    before = client.endpoints.get("evolving-one", project="evolving")
    keys = client.endpoints.get_keys("evolving-one", project="evolving")
    changes = client.apply(MANAGED % (", slots: 2", 50, 50)).changes
    after = client.endpoints.get("evolving-one", project="evolving")

    assert ["unchanged", "update"] == [each.action for each in changes]
    assert {"traffic.blue", "traffic.green", "deployments.blue.slots"} == {
        ".".join(map(str, each.path)) for each in changes[1].diff
    }
    assert {"blue": 50, "green": 50} == after.traffic
    assert [2, 1] == [each.revision for each in after.deployments]
    assert (before.created, before.version + 1) == (after.created, after.version)
    assert keys == client.endpoints.get_keys("evolving-one", project="evolving")


def test_pruning(client: Cupola):
    """What a section does not have goes: deployments, endpoints; other sections stay."""
    client.apply(MANAGED % ("", 50, 50))
    only_blue = """
version: 1
projects:
  default: {}
  evolving:
    endpoints:
      evolving-one:
        kind: managed
        deployments: {blue: {model: Cupola-Pilot, instance_type: small}}
        traffic: {blue: 100}
"""
    client.apply(only_blue, prune=True)
    left = client.endpoints.get("evolving-one", project="evolving")
    assert (["blue"], {"blue": 100}) == ([each.name for each in left.deployments], left.traffic)
    assert ["default", "evolving"] == [each.name for each in client.projects.list()]
    client.apply("version: 1\nprojects: {default: {}, evolving: {endpoints: {}}}", prune=True)
    assert [] == [*client.endpoints.list(project="evolving")]
    assert "olga" in [each.name for each in client.users.list()]
    with pytest.raises(Conflict, match=r"user .*: .* is the last administrator"):
        client.apply("version: 1\nusers: {}", prune=True)
    client.apply("version: 1\nusers: {olga: {}}", prune=True)
    assert {"olga"} == {each.name for each in client.users.list() if not each.disabled}


def test_what_documents_cannot_change(client: Cupola):
    """The model of a serverless endpoint, a model that is not there, a type that is not."""
    text = """
version: 1
projects:
  fixed:
    subscriptions: [Cupola-Pilot, Mistral-Nemo]
    endpoints:
      fixed-one: {kind: serverless, deployments: {fixed-one: {model: %s}}}
"""
    client.apply(text % "Cupola-Pilot")
    with pytest.raises(Conflict, match="has the model Cupola-Pilot, which stays"):
        client.plan(text % "Mistral-Nemo")
    with pytest.raises(NotFound, match=r"endpoint fixed/fixed-one: .* no model 'Nothing'"):
        client.plan(text % "Nothing")
    with pytest.raises(Invalid, match=r"endpoint evolving/evolving-one: .*instance type 'vast'"):
        client.plan((MANAGED % ("", 100, 0)).replace("small", "vast"))


def test_export_of_some(client: Cupola, server: Live):
    """Of the projects asked for; the whole is for administrators."""
    assert "projects:\n  default:\n" in client.export(["default"])
    assert "users:" not in client.export(["default"])
    with pytest.raises(NotFound):
        client.export(["nowhere"])
    with Cupola(server.url, server.session) as olga:
        narrow = olga.sessions.create("reader", scopes=["read"])
    with Cupola(server.url, narrow.token) as reader:
        for attempt in (reader.export, lambda: reader.apply("version: 1")):
            with pytest.raises(Forbidden):
                attempt()
