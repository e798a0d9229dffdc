"""A request as a value, without anything that sends it: what sync and async have in common."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote, urlsplit

from cupola.sdk._decode import decode
from cupola.sdk._errors import BadReply, CupolaError

T = TypeVar("T")

PREFIX: Final = "/management/v1"
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask of the server."""

    method: Method
    path: str
    """Below the prefix, made with `join`."""
    query: Mapping[str, str | list[str]] = field(default_factory=dict)
    """A list stands for several of the same name."""
    body: bytes | None = None
    content_type: str = JSON
    if_version: int | None = None
    """Refused with `Stale` if the server's is another."""
    once: bool = False
    """A second time would do it twice, or lose a secret: never sent again once it went out."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            raise BadReply(
                "The server's reply is no JSON. Is its address that of a Cupola server?"
            ) from None

    def into(self, result: type[T]) -> T:
        return decode(self.json(), result)

    @property
    def operation(self) -> str | None:
        """What the request started."""
        location = self.headers.get("operation-location")
        return location.rstrip("/").rpartition("/")[2] if location else None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    items: tuple[Any, ...]
    next: str | None = None


def join(*parts: str) -> str:
    """A path of these parts, each quoted whole, so that no name leads elsewhere."""
    for part in parts:
        if part in ("", ".", ".."):  # the path would be another one
            raise CupolaError(f"{part!r} names nothing. Give a name.")
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def write(**fields: Any) -> bytes:
    """A JSON body of the fields that are not None."""
    return json.dumps({name: each for name, each in fields.items() if each is not None}).encode()


def ask(**fields: Any) -> dict[str, str | list[str]]:
    """A query of the fields that are not None; a list or tuple is repeated."""
    return {name: _spell(each) for name, each in fields.items() if each is not None}


def _spell(value: Any) -> str | list[str]:
    if isinstance(value, list | tuple):
        return [str(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_page(reply: Reply) -> Page:
    """The part of a list that a reply holds."""
    value = reply.json()
    if not isinstance(value, dict) or not isinstance(value.get("items"), list):
        raise BadReply("The server's reply is no page of a list. Is it a Cupola server?")
    return Page(tuple(value["items"]), value.get("next"))


def check_server(url: str) -> str:
    """The server's address without a slash at its end.

    Raises:
        CupolaError: It is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CupolaError(f"{url!r} is no server's address. It looks like http://127.0.0.1:8100.")
    return url.rstrip("/")
