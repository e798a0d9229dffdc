"""Lists in pages: `?limit=&cursor=` -> `{"items": [...], "next": cursor or null}`.

A cursor holds the last item of its page, not a number of items, so nothing is skipped or told twice
when the list changes meanwhile. It is good for the list that it came from only.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from cupola.control.seal import LONGEST, NotOurs, Seal
from cupola.control.services import Parts
from cupola.kit.errors import Invalid

T = TypeVar("T")
R = TypeVar("R", bound=BaseModel)

MOST = 200
USUAL = 50


class Page(BaseModel, Generic[R]):
    """A part of a list."""

    model_config = ConfigDict(json_schema_extra={"description": "A part of a list."})

    items: list[R]
    next: str | None = Field(
        description="The `cursor` of the next page; null: this is the last one."
    )


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is asked for."""

    limit: int
    after: str
    """The last item that the caller has; empty: none."""
    list: str
    """Which list."""
    seal: Seal

    async def fetch(
        self,
        read: Callable[[str, int], Awaitable[Sequence[T]]],
        name: Callable[[T], str],
        show: Callable[[T], R],
    ) -> Page[R]:
        """The page.

        Args:
            read: After whom, and how many.
            name: What an item is sorted by.
        """
        found = await read(self.after, self.limit + 1)
        items = found[: self.limit]
        more = len(found) > self.limit
        return Page(items=[show(each) for each in items], next=self._point(name, items, more))

    def _point(self, name: Callable[[T], str], items: Sequence[T], more: bool) -> str | None:
        return self.seal.close(self.list, [name(items[-1])]) if more else None


def read_paging(
    request: Request,
    services: Parts,
    limit: Annotated[int, Query(ge=1, le=MOST, description="Items of a page.")] = USUAL,
    cursor: Annotated[
        str | None, Query(description="`next` of the page before.", max_length=LONGEST)
    ] = None,
) -> Paging:
    """Raises: Invalid, for a cursor that is none of ours for this list."""
    purpose = f"cursor {request.url.path}"
    after = ""
    if cursor is not None:
        try:
            [after] = map(str, services.seal.open(purpose, cursor))
        except (NotOurs, ValueError):
            raise Invalid(
                "This is no cursor of this list. Take 'next' of the page before as it is, or "
                "leave it out to begin anew.",
                path=("cursor",),
            ) from None
    return Paging(limit, after, purpose, services.seal)


AnyPage = Annotated[Paging, Depends(read_paging)]


def slice_after(
    items: Sequence[T], name: Callable[[T], str], after: str, limit: int
) -> Sequence[T]:
    """A page of what is in memory anyway, sorted by name."""
    return [each for each in items if name(each) > after][:limit]
