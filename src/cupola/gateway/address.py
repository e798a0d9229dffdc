"""Paths -> what is meant. The one table of the gateway's routes.

Under `/endpoints/NAME` a path concerns that endpoint; without it, all endpoints of the caller's
key, one of which the body's `model` chooses. Empty segments are tolerated, since users join URLs by
hand, and so is any query (`api-version` says nothing that matters here).
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple

from cupola.ids import EndpointName


class Resource(Enum):
    """What a path leads to."""

    ENDPOINT_HEALTH = auto()
    INFO = auto()
    CHAT_AZURE = auto()
    CHAT_FOUNDRY = auto()
    """The Azure dialect under `/models`, where Mistral's client sends Mistral's names as well."""
    CHAT_V1 = auto()
    TEXT_AZURE = auto()
    TEXT_V1 = auto()
    FILL_V1 = auto()
    MODELS = auto()
    MODEL = auto()
    OPENAPI = auto()
    DOCS = auto()
    LIVENESS = auto()
    READINESS = auto()


class Address(NamedTuple):
    """A path, understood."""

    resource: Resource
    endpoint: EndpointName | None = None
    """None: the project-wide form."""
    model: str = ""
    """The last part of `/v1/models/{id}`."""


POSTED = frozenset(
    (Resource.CHAT_AZURE, Resource.CHAT_FOUNDRY, Resource.CHAT_V1, Resource.TEXT_AZURE,
     Resource.TEXT_V1, Resource.FILL_V1)
)  # fmt: skip
"""Called with POST; the others with GET."""

V1 = frozenset(
    (Resource.CHAT_V1, Resource.TEXT_V1, Resource.FILL_V1, Resource.MODELS, Resource.MODEL)
)
"""Their errors are of the form that OpenAI's and Mistral's clients read."""

_SHARED: Mapping[str, Resource] = {
    "v1/chat/completions": Resource.CHAT_V1,
    "v1/completions": Resource.TEXT_V1,
    "v1/fim/completions": Resource.FILL_V1,
    "models/chat/completions": Resource.CHAT_FOUNDRY,
    "v1/models/chat/completions": Resource.CHAT_FOUNDRY,
    "models/info": Resource.INFO,
    "v1/models": Resource.MODELS,
}
ENDPOINT: Mapping[str, Resource] = {
    "": Resource.ENDPOINT_HEALTH,
    "info": Resource.INFO,
    "chat/completions": Resource.CHAT_AZURE,
    "completions": Resource.TEXT_AZURE,
    "openapi.json": Resource.OPENAPI,
    "docs": Resource.DOCS,
    **_SHARED,
}
"""Paths behind `/endpoints/NAME`."""
PROJECT: Mapping[str, Resource] = {
    "healthz": Resource.LIVENESS,
    "readyz": Resource.READINESS,
    **_SHARED,
}
"""Paths of their own."""
_MODEL = "v1/models/"


def resolve(path: str) -> Address | None:
    """What `path` means; None if nothing."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["endpoints"] and len(parts) > 1:
        return _look_up(ENDPOINT, "/".join(parts[2:]), EndpointName(parts[1]))
    return _look_up(PROJECT, "/".join(parts), None)


def _look_up(
    table: Mapping[str, Resource], rest: str, endpoint: EndpointName | None
) -> Address | None:
    if rest in table:
        return Address(table[rest], endpoint)
    if rest.startswith(_MODEL):
        return Address(Resource.MODEL, endpoint, rest.removeprefix(_MODEL))
    return None
