"""What is used and what it costs: reports, records, limits, prices, budgets."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cupola.sdk._async.transport import AsyncTransport
from cupola.sdk._request import Request, ask, join, write
from cupola.sdk._results import AllLimits, Budget, CostReport, Notice, Price, UsageReport


class AsyncUsage:
    """The ledger, read. Without a project it is that of all, for administrators.

    A period is from `start` to `end` (now), or `since` before its end: `24h`, `7d`, `4w`; with
    neither it is a week. `by` takes `hour`, `day`, `project`, `model`, `endpoint`, `deployment`,
    `key` and `kind`; `where` has the values to keep of any of these but the two of time.
    """

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def report(
        self,
        by: Sequence[str] = (),
        *,
        since: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        where: Mapping[str, Sequence[str]] | None = None,
        project: str | None = None,
    ) -> UsageReport:
        """Requests, tokens and core hours by groups."""
        query = _write_query(by, since, start, end, where)
        request = Request("GET", _locate(project, "usage"), query)
        return (await self._transport.send(request)).into(UsageReport)

    async def cost(
        self,
        by: Sequence[str] = (),
        *,
        since: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        where: Mapping[str, Sequence[str]] | None = None,
        project: str | None = None,
    ) -> CostReport:
        """What they cost, by groups and currency."""
        query = _write_query(by, since, start, end, where)
        request = Request("GET", _locate(project, "cost"), query)
        return (await self._transport.send(request)).into(CostReport)

    async def write_records(
        self,
        file: Path,
        project: str | None,
        *,
        format: str = "jsonl",
        since: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        where: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Write a project's records to `file`, one line a request: `jsonl` or `csv`.

        Of None, an administrator gets those of all. The file is there once it is whole.
        """
        draft = file.with_name(f".{file.name}.part")
        parts = self.export_records(
            project, format=format, since=since, start=start, end=end, where=where
        )
        try:
            with draft.open("wb") as target:
                async for part in parts:
                    target.write(part)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)

    async def export_records(
        self,
        project: str | None,
        *,
        format: str = "jsonl",
        since: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        where: Mapping[str, Sequence[str]] | None = None,
    ) -> AsyncIterator[bytes]:
        """The same in pieces, as they arrive; a piece may end within a line."""
        query = {**_write_query((), since, start, end, where), "format": format}
        request = Request("GET", _locate(project, "records"), query)
        async with self._transport.stream(request) as response:
            async for part in response.aiter_bytes():
                yield part


class AsyncLimits:
    """What a project may use, or one of its endpoints or keys, if `endpoint` or `key` is given.

    With both it is one of the endpoint's own keys: `key` is `primary` or `secondary`.
    """

    def __init__(self, transport: AsyncTransport, project: str) -> None:
        self._transport = transport
        self._project = project

    async def get(
        self, *, endpoint: str | None = None, key: str | None = None, project: str | None = None
    ) -> AllLimits:
        """All limits; None is no limit."""
        path = self._find(endpoint, key, project)
        return (await self._transport.send(Request("GET", path))).into(AllLimits)

    async def put(
        self,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        concurrent_requests: int | None = None,
        tokens_per_day: int | None = None,
        tokens_per_month: int | None = None,
        money_per_month: str | None = None,
        endpoint: str | None = None,
        key: str | None = None,
        project: str | None = None,
    ) -> AllLimits:
        """Replace all limits: those that are left out are no more."""
        body = write(
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            concurrent_requests=concurrent_requests,
            tokens_per_day=tokens_per_day,
            tokens_per_month=tokens_per_month,
            money_per_month=money_per_month,
        )
        request = Request("PUT", self._find(endpoint, key, project), body=body)
        return (await self._transport.send(request)).into(AllLimits)

    async def delete(
        self, *, endpoint: str | None = None, key: str | None = None, project: str | None = None
    ) -> None:
        """Take all limits away; an endpoint gets those that its kind has when it is made."""
        await self._transport.send(Request("DELETE", self._find(endpoint, key, project)))

    def _find(self, endpoint: str | None, key: str | None, project: str | None) -> str:
        owner = ["projects", project or self._project]
        if endpoint is not None:
            owner += ["endpoints", endpoint]
        if key is not None:
            owner += ["keys", key]
        return join(*owner, "limits")


class AsyncPrices:
    """What tokens and instances cost. Prices are exact decimal numbers as text."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self, *, current: bool = False) -> AsyncIterator[Price]:
        """In the order in which they were set; `current`: only those that hold now."""
        return self._transport.list("/prices", Price, current=current or None)

    async def set_model(
        self,
        model: str,
        *,
        input: str,
        output: str,
        currency: str,
        valid_from: datetime | None = None,
    ) -> Price:
        """What 1,000 tokens cost, from now or a later moment on. For administrators."""
        body = write(
            input=input, output=output, currency=currency, valid_from=_write_time(valid_from)
        )
        request = Request("PUT", join("prices", "models", model), body=body)
        return (await self._transport.send(request)).into(Price)

    async def set_instance_type(
        self, name: str, *, hour: str, currency: str, valid_from: datetime | None = None
    ) -> Price:
        """What an hour of one instance costs, likewise. For administrators."""
        body = write(hour=hour, currency=currency, valid_from=_write_time(valid_from))
        request = Request("PUT", join("prices", "instance-types", name), body=body)
        return (await self._transport.send(request)).into(Price)


class AsyncBudgets:
    """What a project, its endpoints and its keys may spend, and the warnings about it."""

    def __init__(self, transport: AsyncTransport, project: str) -> None:
        self._transport = transport
        self._project = project

    def list(self, *, project: str | None = None) -> AsyncIterator[Budget]:
        """All, and how each stands."""
        return self._transport.list(self._find(project), Budget)

    async def get(self, id: str, *, project: str | None = None) -> Budget:
        """One."""
        return (await self._transport.send(Request("GET", self._find(project, id)))).into(Budget)

    async def create(
        self,
        *,
        amount: str | None = None,
        currency: str | None = None,
        tokens: int | None = None,
        scope: str = "project",
        subject: str | None = None,
        period: str = "month",
        warn: Sequence[int] = (80, 100),
        refuse: bool = False,
        webhook: str | None = None,
        project: str | None = None,
    ) -> Budget:
        """Make one of money (`amount` and `currency`) or of `tokens`; `warn` is per cent."""
        body = write(
            amount=amount,
            currency=currency,
            tokens=tokens,
            scope=scope,
            subject=subject,
            period=period,
            warn=[*warn],
            refuse=refuse,
            webhook=webhook,
        )
        request = Request("POST", self._find(project), body=body)
        return (await self._transport.send(request)).into(Budget)

    async def replace(
        self,
        id: str,
        *,
        amount: str | None = None,
        currency: str | None = None,
        tokens: int | None = None,
        scope: str = "project",
        subject: str | None = None,
        period: str = "month",
        warn: Sequence[int] = (80, 100),
        refuse: bool = False,
        webhook: str | None = None,
        if_version: int | None = None,
        project: str | None = None,
    ) -> Budget:
        """Put another in its place, under its id."""
        body = write(
            amount=amount,
            currency=currency,
            tokens=tokens,
            scope=scope,
            subject=subject,
            period=period,
            warn=[*warn],
            refuse=refuse,
            webhook=webhook,
        )
        request = Request("PUT", self._find(project, id), body=body, if_version=if_version)
        return (await self._transport.send(request)).into(Budget)

    async def delete(
        self, id: str, *, if_version: int | None = None, project: str | None = None
    ) -> None:
        """Forget one; its notices stay."""
        request = Request("DELETE", self._find(project, id), if_version=if_version)
        await self._transport.send(request)

    def list_notices(self, *, project: str | None = None) -> AsyncIterator[Notice]:
        """Warnings that were given, newest first."""
        path = join("projects", project or self._project, "notices")
        return self._transport.list(path, Notice)

    def _find(self, project: str | None, *more: str) -> str:
        return join("projects", project or self._project, "budgets", *more)


def _locate(project: str | None, what: str) -> str:
    return join(what) if project is None else join("projects", project, what)


def _write_query(
    by: Sequence[str],
    since: str | None,
    start: datetime | None,
    end: datetime | None,
    where: Mapping[str, Sequence[str]] | None,
) -> dict[str, Any]:
    period = ask(since=since, to=_write_time(end), by=[*by])
    begin = {} if start is None else {"from": start.isoformat()}
    return {**period, **begin, **{name: [*each] for name, each in (where or {}).items()}}


def _write_time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
