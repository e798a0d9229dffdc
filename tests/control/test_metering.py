"""Usage, cost, limits, prices and budgets, asked as any client asks, over each kind of ledger."""

import csv
import io
import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cupola.control.period import Period
from cupola.control.usage import export_records
from cupola.db.database import Database
from cupola.deployments.model import EndpointKind
from cupola.metering.export import Format
from cupola.metering.ports import RecordStore
from cupola.metering.usage import InstanceInterval
from cupola.metering.watch import BudgetWatch
from cupola.quotas.model import Bound, Limits, Scope
from tests.control.world import MODEL, ROOT, World, fill, make_world
from tests.metering.ledgers import ledger
from tests.metering.samples import record
from tests.postgresql import Cluster

NOW = 1_700_000_000
"""22:13:20 UTC on 2023-11-14, where the world's clock stands."""
P, E = "/projects/ours", "/projects/ours/endpoints/ours-one"
INSTANCE = InstanceInterval(
    "ours-two", "blue", "ours", MODEL, "small", cores=2, started=NOW - 5400, until=NOW - 1800
)
LATER = replace(INSTANCE, started=NOW + 3600, until=NOW + 7200)


@dataclass
class Metered:
    """A world, and the writing side of its ledger."""

    world: World
    records: RecordStore

    async def ask(
        self, token: str, method: str, path: str, body: Any = None, **headers: str
    ) -> Any:
        return await self.world.ask(token, method, path, body, **headers)

    async def show(self, token: str, path: str) -> Any:
        reply = await self.ask(token, "GET", path)
        assert 200 == reply.status_code, reply.text
        return reply.json()

    async def audit(self) -> list[Any]:
        """The newest lines, as `(action, target, before, after)`."""
        entries = await self.world.services.audit.list()
        return [(each.action, each.target, each.before, each.after) for each in entries]


@pytest.fixture
async def metered(
    backing: Database | None, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Metered]:
    with ExitStack() as stack:

        def create() -> str:
            cluster: Cluster = request.getfixturevalue("postgresql")
            return stack.enter_context(cluster.lent())

        kind: str = request.node.callspec.params["backing"]
        async with ledger(kind, tmp_path, create) as stores:
            world = make_world(backing, stores.usage, intervals=[INSTANCE, LATER])
            await fill(world, backing)
            yield Metered(world, stores.records)


def _used(**changes: Any) -> Any:
    values = {"time": NOW - 7200.0, "project": "ours", "endpoint": "ours-one", "model": MODEL}
    return record(**{**values, **changes})


async def _use(metered: Metered) -> None:
    """Three requests of `ours`, in two days and two currencies, and one of `theirs`."""
    await metered.records.write(
        [
            _used(prompt=10, completion=5, cost=1_500_000),
            _used(prompt=20, completion=0, cost=123_456_789_012_345_678, status=500),
            _used(time=NOW - 86_400.0, model="Other", currency="USD", cost=7, key="key_a"),
            _used(project="theirs", endpoint="theirs-one", prompt=1000),
        ]
    )


async def test_usage_by_groups(metered: Metered):
    """Requests, tokens and core hours, of the project alone, in one row for all currencies."""
    await _use(metered)
    found = await metered.show("reader", f"{P}/usage?by=model")

    assert ("2023-11-07T22:00:00Z", "2023-11-14T23:00:00Z") == (found["start"], found["end"])
    assert ["model"] == found["by"]
    pilot, other = found["items"]
    assert {
        "group": {"model": MODEL},
        "requests": 2,
        "failures": 1,
        "input_tokens": 30,
        "cached_tokens": 128,
        "output_tokens": 5,
        "core_seconds": 7200,
        "core_hours": 2.0,
    } == pilot
    assert ({"model": "Other"}, 1) == (other["group"], other["requests"])


async def test_usage_by_time_and_filters(metered: Metered):
    """Several groups, hours and days as text; filters keep what they name."""
    await _use(metered)
    path = f"{P}/usage?by=day&by=endpoint&model=Other&since=3d"
    assert [{"day": "2023-11-13", "endpoint": "ours-one"}] == [
        each["group"] for each in (await metered.show("reader", path))["items"]
    ]
    hours = f"{P}/usage?by=hour&kind=serverless&from=2023-11-14T00:00:00Z"
    assert [{"hour": "2023-11-14T20:00:00Z"}] == [
        each["group"] for each in (await metered.show("reader", hours))["items"]
    ]
    nothing = await metered.show("reader", f"{P}/usage?key=nobody")
    assert [] == nothing["items"]


async def test_usage_by_kind(metered: Metered):
    """Core hours are of managed deployments, which alone have instances; tokens of whatever kind
    the endpoint was that was called."""
    await _use(metered)
    await metered.records.write([_used(kind=EndpointKind.MANAGED.value, endpoint="ours-two")])
    found = await metered.show("reader", f"{P}/usage?by=kind")

    assert [("managed", 1, 7200), ("serverless", 3, 0)] == [
        (each["group"]["kind"], each["requests"], each["core_seconds"]) for each in found["items"]
    ]
    shared = await metered.show("reader", f"{P}/usage?by=kind&kind=serverless")
    assert [0] == [each["core_seconds"] for each in shared["items"]]


async def test_the_platform_sees_all_projects(metered: Metered):
    """Administrators, with a filter by project."""
    await _use(metered)
    both = await metered.show("admin", "/usage?by=project")
    assert ["ours", "theirs"] == [each["group"]["project"] for each in both["items"]]
    one = await metered.show("admin", "/usage?by=project&project=theirs")
    assert [1000] == [each["input_tokens"] for each in one["items"]]


async def test_cost_is_exact_and_by_currency(metered: Metered):
    """Text, to the nano-unit: as a float it would be another amount."""
    await _use(metered)
    reply = await metered.ask("reader", "GET", f"{P}/cost?by=model")

    assert [(MODEL, "EUR", "123456789.013845678"), ("Other", "USD", "0.000000007")] == [
        (each["group"]["model"], each["currency"], each["cost"]) for each in reply.json()["items"]
    ]
    floats: list[str] = []
    json.loads(reply.text, parse_float=floats.append)
    assert [] == floats


async def test_csv_has_no_formulas(metered: Metered):
    """A name that begins like one is quoted, in reports and in exports."""
    await metered.records.write([_used(model="=1+1", key="@sum", cost=5)])
    report = await metered.ask("reader", "GET", f"{P}/usage?by=model&by=key&format=csv")
    [header, row, *_] = csv.reader(io.StringIO(report.text))
    assert (["model", "key", "requests"], ["'=1+1", "'@sum", "1"]) == (header[:3], row[:3])
    assert "text/csv; charset=utf-8" == report.headers["content-type"]
    cost = await metered.ask("reader", "GET", f"{P}/cost?format=csv")
    assert "currency,cost\r\nEUR,0.000000005\r\n" == cost.text

    exported = await metered.ask("reader", "GET", f"{P}/records?format=csv")
    [record_row] = csv.DictReader(io.StringIO(exported.text))
    assert ("'=1+1", "'@sum") == (record_row["model"], record_row["key"])


async def test_records_are_the_projects_own(metered: Metered):
    """One line a request, oldest first, of exactly the period."""
    await _use(metered)
    reply = await metered.ask("reader", "GET", f"{P}/records?since=2d")
    lines = [json.loads(line) for line in reply.text.splitlines()]

    assert ["Other", MODEL, MODEL] == [line["model"] for line in lines]
    assert {"ours"} == {line["project"] for line in lines}
    assert "123456789.012345678" == lines[2]["cost"]
    short = await metered.ask("reader", "GET", f"{P}/records?since=3h&model={MODEL}")
    assert 2 == len(short.text.splitlines())
    assert "ours-records.jsonl" in reply.headers["content-disposition"]


async def test_records_of_all_projects_are_for_administrators(metered: Metered):
    """The same lines, whosever they are; or those of the projects that are named."""
    await _use(metered)
    everybodys = await metered.ask("admin", "GET", "/records?since=2d")
    projects = [json.loads(line)["project"] for line in everybodys.text.splitlines()]
    one = await metered.ask("admin", "GET", "/records?since=2d&project=ours")

    assert {"ours", "theirs"} == {*projects}
    assert projects.count("ours") == len(one.text.splitlines())
    assert 403 == (await metered.ask("reader", "GET", "/records")).status_code


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("since=7d&from=2023-11-01T00:00:00Z", 400),
        ("from=2023-11-02T00:00:00Z&to=2023-11-01T00:00:00Z", 400),
        ("since=7", 422),
        ("from=2023-11-02", 422),
        ("from=9999-12-31T23:59:59Z", 400),
        ("from=0001-01-01T00:00:00Z&to=0001-01-02T00:00:00Z", 400),
        ("by=hour&by=day", 400),
        ("by=model&by=model", 400),
        ("by=colour", 422),
        ("format=xml", 422),
        ("model=a%00b", 422),
    ],
)
async def test_strange_questions_are_refused(query: str, status: int):
    """With a reason, before the first byte."""
    world = await fill(make_world())
    reply = await world.ask("reader", "GET", f"{P}/usage?{query}")

    assert status == reply.status_code, reply.text
    assert reply.json()["error"]["message"]


async def test_an_export_keeps_memory_flat(tmp_path: Path):
    """Thirty thousand records take no more memory than three thousand."""

    async def measure(count: int, folder: Path) -> int:
        async with ledger("sqlite", folder, str) as stores:
            for _ in range(count // 1000):
                await stores.records.write([_used() for _ in range(1000)])
            world = await fill(make_world(usage=stores.usage))
            project = await world.reach("reader", "ours")
            transport_reply = _stream(world, project.name)
            tracemalloc.start()
            lines = 0
            async for part in transport_reply:
                lines += part.count(b"\n")
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert count == lines
            return most

    folders = [tmp_path / "few", tmp_path / "many"]
    for folder in folders:
        folder.mkdir()
    few = await measure(3000, folders[0])
    assert await measure(30_000, folders[1]) < few * 1.5


async def _stream(world: World, project: str) -> AsyncIterator[bytes]:
    """The export's pieces as the server would send them, one at a time."""
    reached = await world.reach("reader", project)
    reply = await export_records(reached, Period(0, NOW + 1), {}, world.services, Format.JSON)
    async for part in reply.body_iterator:
        assert isinstance(part, bytes)
        yield part


async def test_limits_of_a_project(metered: Metered):
    """None at first; set whole, told of, and taken away."""
    empty = await metered.show("reader", f"{P}/limits")
    assert ("project", "ours", None) == (empty["scope"], empty["subject"], empty["tokens_per_day"])
    body = {"tokens_per_day": 1000, "money_per_month": "12.5"}
    made = await metered.ask("owner", "PUT", f"{P}/limits", body)

    assert (200, 1000, "12.50") == (
        made.status_code,
        made.json()["tokens_per_day"],
        made.json()["money_per_month"],
    )
    kept = await metered.world.services.limits.find(Scope("project", "ours"))
    assert Limits(tokens_per_day=1000, money_per_month=12_500_000_000) == kept
    assert (
        "limits.put",
        "project ours",
        {},
        {"tokens_per_day": 1000, "money_per_month": "12.50"},
    ) == (await metered.audit())[0]
    await metered.ask("owner", "PUT", f"{P}/limits", {"concurrent_requests": 2})
    assert (await metered.show("reader", f"{P}/limits"))["tokens_per_day"] is None
    assert 204 == (await metered.ask("owner", "DELETE", f"{P}/limits")).status_code
    assert 404 == (await metered.ask("owner", "DELETE", f"{P}/limits")).status_code


async def test_limits_of_an_endpoint(metered: Metered):
    """Those of a minute are the endpoint's own; all go with it, and its name comes back free."""
    usual = await metered.show("reader", f"{E}/limits")
    assert (1000, 200_000) == (usual["requests_per_minute"], usual["tokens_per_minute"])
    body = {"requests_per_minute": 5, "concurrent_requests": 2}
    await metered.ask("owner", "PUT", f"{E}/limits", body)

    shown = await metered.show("reader", E)
    assert {"requests_per_minute": 5, "tokens_per_minute": None} == shown["limits"]
    scope = Scope("endpoint", "ours-one")
    assert Limits(concurrent_requests=2) == await metered.world.services.limits.find(scope)
    await metered.ask("owner", "DELETE", f"{E}/limits")
    assert usual == await metered.show("reader", f"{E}/limits")
    await metered.ask("owner", "PUT", f"{E}/limits", body)
    await metered.ask("developer", "DELETE", E)
    assert await metered.world.services.limits.find(scope) is None


async def test_limits_of_an_endpoints_own_key(metered: Metered):
    """By the names of the two; they count as the gateway has them, and go with the endpoint."""
    path = f"{E}/keys/primary/limits"
    made = await metered.ask("owner", "PUT", path, {"tokens_per_day": 9})
    assert (200, "key", "ours-one/primary") == (
        made.status_code,
        made.json()["scope"],
        made.json()["subject"],
    )
    scope = Scope("key", "ours-one/primary")
    assert Limits(tokens_per_day=9) == await metered.world.services.limits.find(scope)
    other = await metered.show("reader", f"{E}/keys/secondary/limits")
    assert other["tokens_per_day"] is None
    assert 403 == (await metered.ask("developer", "PUT", path, {})).status_code
    assert 404 == (await metered.ask("stranger", "GET", path)).status_code
    assert 422 == (await metered.ask("owner", "PUT", f"{E}/keys/third/limits", {})).status_code
    assert 204 == (await metered.ask("owner", "DELETE", path)).status_code
    assert 404 == (await metered.ask("owner", "DELETE", path)).status_code
    await metered.ask("owner", "PUT", path, {"tokens_per_day": 9})
    await metered.ask("developer", "DELETE", E)
    assert await metered.world.services.limits.find(scope) is None


async def test_what_an_expired_endpoint_had_goes_with_it(metered: Metered):
    """Limits of it and its keys, and its budgets; those of others stay. An endpoint of its name
    that is gone already takes nothing."""
    world = metered.world
    for place in ("", "/keys/secondary"):
        await metered.ask("owner", "PUT", f"{E}{place}/limits", {"concurrent_requests": 1})
    await metered.ask("owner", "PUT", f"{P}/limits", {"concurrent_requests": 2})
    for budget in ({"scope": "endpoint", "subject": "ours-one"}, {"scope": "project"}):
        await metered.ask("owner", "POST", f"{P}/budgets", {**budget, "tokens": 5})
    endpoint = await world.services.endpoints.get_endpoint("ours-one")
    assert await world.services.endpoints.expire(endpoint)

    assert [Scope("project", "ours")] == [each.scope for each in await world.services.limits.list()]
    left = (await metered.show("reader", f"{P}/budgets"))["items"]
    assert ["project"] == [each["scope"] for each in left]
    await world.services.limits.put(Bound(Scope("endpoint", "ours-one"), Limits(5)))
    assert not await world.services.endpoints.expire(endpoint)
    assert await world.services.limits.find(Scope("endpoint", "ours-one"))


async def test_what_a_projects_keys_had_goes_with_the_project(metered: Metered):
    """Nothing is left in limits or budgets when a project is gone."""
    made = await metered.ask("stranger", "POST", "/projects/theirs/keys", {"name": "batch"})
    key = made.json()["id"]
    for place in ("", f"/keys/{key}"):
        path = f"/projects/theirs{place}/limits"
        await metered.ask("stranger", "PUT", path, {"concurrent_requests": 1})
    budget = {"scope": "key", "subject": key, "tokens": 5}
    await metered.ask("stranger", "POST", "/projects/theirs/budgets", budget)
    await metered.ask("stranger", "DELETE", "/projects/theirs/endpoints/theirs-one")
    assert 204 == (await metered.ask("stranger", "DELETE", "/projects/theirs")).status_code

    assert [] == [*await metered.world.services.limits.list()]
    assert [] == [*await metered.world.services.belongings.budgets.list()]


async def test_limits_of_a_key(metered: Metered):
    """Of a key that there is; it takes them along."""
    made = await metered.ask("owner", "POST", f"{P}/keys", {"name": "batch"})
    path = f"{P}/keys/{made.json()['id']}/limits"
    assert 404 == (await metered.ask("owner", "PUT", f"{P}/keys/key_x/limits", {})).status_code
    await metered.ask("owner", "PUT", path, {"tokens_per_minute": 9})

    assert 9 == (await metered.show("reader", path))["tokens_per_minute"]
    await metered.ask("owner", "DELETE", path.removesuffix("/limits"))
    scope = Scope("key", made.json()["id"])
    assert await metered.world.services.limits.find(scope) is None


async def test_a_keys_budgets_go_with_it(metered: Metered):
    """And those of the project stay."""
    made = await metered.ask("owner", "POST", f"{P}/keys", {"name": "batch"})
    for subject in ({"scope": "key", "subject": made.json()["id"]}, {}):
        await metered.ask("owner", "POST", f"{P}/budgets", {**subject, "tokens": 5})
    await metered.ask("owner", "DELETE", f"{P}/keys/{made.json()['id']}")

    left = (await metered.show("reader", f"{P}/budgets"))["items"]
    assert ["project"] == [each["scope"] for each in left]


@pytest.mark.parametrize(
    "body",
    [
        {"tokens_per_day": 0},
        {"tokens_per_day": 2**53},
        {"tokens_per_day": 1.5},
        {"money_per_month": 5},
        {"money_per_month": "-5"},
        {"money_per_month": "1e3"},
        {"money_per_month": "9999999999"},
        {"money_per_month": "9007200"},
        {"rpm": 1},
    ],
)
async def test_strange_limits_are_refused(body: dict[str, Any]):
    """With the path to the fault."""
    world = await fill(make_world())
    reply = await world.ask("owner", "PUT", f"{P}/limits", body)

    assert (422, [*body]) == (reply.status_code, reply.json()["error"]["path"])


async def test_prices_never_change_the_past(metered: Metered):
    """A new one holds from its moment on; the same one again is no change."""
    path, body = f"/prices/models/{MODEL}", {"input": "0.0005", "output": "0.0015"}
    made = await metered.ask("admin", "PUT", path, {**body, "currency": "EUR"})
    again = await metered.ask("admin", "PUT", path, {**body, "currency": "EUR"})

    assert (200, "0.0005", "0.0015") == (
        made.status_code,
        made.json()["input"],
        made.json()["output"],
    )
    assert made.json()["version"] == again.json()["version"]
    later = {"input": "1", "output": "1", "currency": "EUR", "valid_from": "2024-01-01T00:00:00Z"}
    await metered.ask("admin", "PUT", path, later)
    metered.world.clock.advance(60)
    current = await metered.show("reader", "/prices?current=true")
    assert [("0.0005", True)] == [(each["input"], each["current"]) for each in current["items"]]
    assert 2 == len((await metered.show("reader", "/prices"))["items"])
    actions = [action for action, *_ in await metered.audit()]
    assert 2 == actions.count("prices.set")
    past = await metered.ask("admin", "PUT", path, {**later, "valid_from": "2020-01-01T00:00:00Z"})
    assert (400, ["valid_from"]) == (past.status_code, past.json()["error"]["path"])


async def test_prices_of_instances_are_what_they_cost(metered: Metered):
    """An hour of one instance, from the next second on; before that it cost nothing."""
    path, price = "/prices/instance-types/small", {"hour": "0.10", "currency": "EUR"}
    made = await metered.ask("admin", "PUT", path, price)
    assert ("instance_type", "0.10", None) == tuple(
        made.json()[each] for each in ("kind", "hour", "input")
    )
    metered.world.clock.advance(3 * 3600)
    cost = await metered.show("reader", f"{P}/cost?by=kind&since=1d")
    assert [{"group": {"kind": "managed"}, "currency": "EUR", "cost": "0.10"}] == cost["items"]


async def test_what_is_not_there_has_no_price():
    """Models and instance types that nobody knows."""
    world = await fill(make_world())
    hour = {"hour": "1", "currency": "EUR"}
    missing = await world.ask("admin", "PUT", "/prices/instance-types/none", hour)
    tokens = {"input": "1", "output": "1", "currency": "EUR"}
    unknown = await world.ask("admin", "PUT", "/prices/models/none", tokens)

    assert (404, 404) == (missing.status_code, unknown.status_code)


async def test_a_budget_from_beginning_to_end(metered: Metered):
    """Made, seen standing, changed only as it was read, and deleted; each told of."""
    await _use(metered)
    body = {"amount": "200000000", "currency": "EUR", "warn": [50, 100], "refuse": True}
    made = await metered.ask("owner", "POST", f"{P}/budgets", body)
    path = made.headers["location"].removeprefix(ROOT)
    shown = await metered.show("reader", path)

    assert (201, '"1"') == (made.status_code, made.headers["etag"])
    assert {
        "scope": "project",
        "subject": "ours",
        "amount": "200000000.00",
        "spent_amount": "123456789.013845678",
        "spent_tokens": None,
        "share": 61,
        "refusing": False,
        "period_start": "2023-11-01T00:00:00Z",
    }.items() <= shown.items()
    less = {**body, "amount": "1"}
    stale = await metered.ask("owner", "PUT", path, less, if_match='"7"')
    saved = await metered.ask("owner", "PUT", path, less, if_match='"1"')
    assert (412, 200, True) == (
        stale.status_code,
        saved.status_code,
        saved.json()["refusing"],
    )
    assert 1 == len((await metered.show("reader", f"{P}/budgets"))["items"])
    assert 204 == (await metered.ask("owner", "DELETE", path)).status_code
    assert 404 == (await metered.ask("owner", "GET", path)).status_code
    assert ["budgets.delete", "budgets.update", "budgets.create"] == [
        action for action, *_ in (await metered.audit())[:3]
    ]


async def test_a_webhook_may_hold_a_secret(metered: Metered):
    """Its path is for those who govern, and not for the audit log."""
    body = {"tokens": 10, "webhook": "https://hooks.example:8443/secret?token=abc"}
    made = (await metered.ask("owner", "POST", f"{P}/budgets", body)).json()
    path = f"{P}/budgets/{made['id']}"

    assert body["webhook"] == made["webhook"]
    assert "https://hooks.example:8443" == (await metered.show("reader", path))["webhook"]
    assert "secret" not in str(await metered.audit())


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, ["amount"]),
        ({"amount": "5"}, ["currency"]),
        ({"amount": "5", "currency": "EUR", "tokens": 5}, ["tokens"]),
        ({"amount": "0", "currency": "EUR"}, ["amount"]),
        ({"amount": 5, "currency": "EUR"}, ["amount"]),
        ({"tokens": 5, "warn": [100, 50]}, ["warn"]),
        ({"tokens": 5, "webhook": "ftp://x"}, ["webhook"]),
        ({"tokens": 5, "subject": "theirs"}, ["subject"]),
        ({"tokens": 5, "scope": "endpoint"}, ["subject"]),
        ({"tokens": 5, "scope": "endpoint", "subject": "theirs-one"}, ["subject"]),
        ({"tokens": 5, "scope": "key", "subject": "key_x"}, ["subject"]),
    ],
)
async def test_strange_budgets_are_refused(body: dict[str, Any], path: list[str]):
    """With the path to the fault."""
    world = await fill(make_world())
    reply = await world.ask("owner", "POST", f"{P}/budgets", body)

    assert reply.status_code in (400, 422)
    assert path == reply.json()["error"]["path"]


async def test_whoever_watches_is_told_when_it_is_there(database: Database):
    """After the change; a repeatable one is there only after its reply is kept."""
    told: list[bool] = []
    world = await fill(make_world(database), database)

    def note() -> None:
        told.append(database._current.get() is None)

    world.services = replace(world.services, on_budgets=note)
    made = await world.ask("owner", "POST", f"{P}/budgets", {"tokens": 10}, idempotency_key="a")
    assert [False, True] == told
    told.clear()
    await world.ask("owner", "DELETE", f"{P}/budgets/{made.json()['id']}")

    assert [True] == told


async def test_notices_are_shown(metered: Metered):
    """What was said, with what the webhook got."""
    await _use(metered)
    await metered.ask("owner", "POST", f"{P}/budgets", {"tokens": 10, "warn": [50]})
    budgets = metered.world.services.budgets
    watch = BudgetWatch(budgets._store, budgets._notices, budgets._usage, metered.world.clock)
    await watch.refresh()
    [notice] = (await metered.show("reader", f"{P}/notices"))["items"]

    assert (50, "2023-11-01T00:00:00Z") == (notice["share"], notice["period_start"])
    assert ("budget.reached", "10 tokens") == (
        notice["message"]["event"],
        notice["message"]["amount"],
    )
