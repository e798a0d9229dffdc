"""Paths -> what is meant. The one table of the gateway's routes.

Under `/endpoints/NAME`, or at a host that names an endpoint (`gateway.compatibility`), a path
concerns that endpoint; without either, all endpoints of the caller's key, one of which the body's
`model` chooses. A new path is one line in a table.

What users join wrongly by hand is tolerated as far as nothing else can be meant: empty segments,
any query (`api-version` says nothing that matters here), and a base path, which is whatever stands
before the first segment that begins a route of ours. So `/api/models/chat/completions` means what
it ends with, while `/v1/api/chat/completions` is nothing: two dialects could be meant.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from cupola.ids import EndpointName


class Resource(Enum):
    """What a path leads to."""

    __hash__ = object.__hash__  # that of `Enum` is Python, and tables are asked at every request

    ENDPOINT_HEALTH = auto()
    INFO = auto()
    COMPLETION = auto()
    """A model's answer, to a chat or a text: its tongue says to which."""
    EMBEDDINGS = auto()
    IMAGE_EMBEDDINGS = auto()
    IMAGES = auto()
    MODELS = auto()
    MODEL = auto()
    OPENAPI = auto()
    DOCS = auto()
    LIVENESS = auto()
    READINESS = auto()


class Tongue(Enum):
    """How a route's bodies, replies and errors are written (`gateway.dialects`)."""

    __hash__ = object.__hash__

    AZURE = auto()
    FOUNDRY = auto()
    """Azure's under `/models`, where Mistral's client sends Mistral's names as well."""
    OPEN = auto()
    """What clients of OpenAI and Mistral read."""
    SCORE = auto()
    """That of managed compute before it knew chats."""
    TEXT_AZURE = auto()
    TEXT_OPEN = auto()
    FILL = auto()
    """Mistral's fill-in-the-middle, answered like a chat."""


class Route(NamedTuple):
    """What a path leads to, and what is spoken there."""

    resource: Resource
    tongue: Tongue = Tongue.AZURE


class Address(NamedTuple):
    """A path, understood."""

    resource: Resource
    tongue: Tongue = Tongue.AZURE
    endpoint: EndpointName | None = None
    """None: the project-wide form."""
    model: str = ""
    """The last part of `/v1/models/{id}`."""
    deployment: str = ""
    """The endpoint's deployment that the path names, if it names one."""


SHOWN = frozenset(
    (
        Resource.ENDPOINT_HEALTH,
        Resource.INFO,
        Resource.MODELS,
        Resource.MODEL,
        Resource.OPENAPI,
        Resource.DOCS,
        Resource.LIVENESS,
        Resource.READINESS,
    )
)
"""Called with GET; the others with POST."""

_SHARED: Mapping[str, Route] = {
    "models/chat/completions": Route(Resource.COMPLETION, Tongue.FOUNDRY),
    "models/embeddings": Route(Resource.EMBEDDINGS, Tongue.FOUNDRY),
    "models/images/embeddings": Route(Resource.IMAGE_EMBEDDINGS, Tongue.FOUNDRY),
    "models/images/generations": Route(Resource.IMAGES, Tongue.FOUNDRY),
    "models/info": Route(Resource.INFO),
    "v1/info": Route(Resource.INFO, Tongue.OPEN),
    "v1/chat/completions": Route(Resource.COMPLETION, Tongue.OPEN),
    "v1/completions": Route(Resource.COMPLETION, Tongue.TEXT_OPEN),
    "v1/fim/completions": Route(Resource.COMPLETION, Tongue.FILL),
    "v1/embeddings": Route(Resource.EMBEDDINGS, Tongue.OPEN),
    "v1/images/embeddings": Route(Resource.IMAGE_EMBEDDINGS, Tongue.OPEN),
    "v1/images/generations": Route(Resource.IMAGES, Tongue.OPEN),
    "v1/models": Route(Resource.MODELS, Tongue.OPEN),
    "v1/models/chat/completions": Route(Resource.COMPLETION, Tongue.FOUNDRY),
    "openai/v1/chat/completions": Route(Resource.COMPLETION, Tongue.OPEN),
    "openai/v1/completions": Route(Resource.COMPLETION, Tongue.TEXT_OPEN),
    "openai/v1/embeddings": Route(Resource.EMBEDDINGS, Tongue.OPEN),
    "openai/v1/images/generations": Route(Resource.IMAGES, Tongue.OPEN),
    "openai/v1/models": Route(Resource.MODELS, Tongue.OPEN),
}
ENDPOINT: Mapping[str, Route] = {
    "": Route(Resource.ENDPOINT_HEALTH),
    "info": Route(Resource.INFO),
    "chat/completions": Route(Resource.COMPLETION),
    "completions": Route(Resource.COMPLETION, Tongue.TEXT_AZURE),
    "embeddings": Route(Resource.EMBEDDINGS),
    "images/embeddings": Route(Resource.IMAGE_EMBEDDINGS),
    "images/generations": Route(Resource.IMAGES),
    "score": Route(Resource.COMPLETION, Tongue.SCORE),
    "openapi.json": Route(Resource.OPENAPI),
    "swagger.json": Route(Resource.OPENAPI),
    "docs": Route(Resource.DOCS),
    **_SHARED,
}
"""Paths behind `/endpoints/NAME`."""
PROJECT: Mapping[str, Route] = {
    "healthz": Route(Resource.LIVENESS),
    "readyz": Route(Resource.READINESS),
    **_SHARED,
}
"""Paths of their own."""
DEPLOYMENT: Mapping[str, Route] = {
    "chat/completions": Route(Resource.COMPLETION, Tongue.OPEN),
    "completions": Route(Resource.COMPLETION, Tongue.TEXT_OPEN),
    "embeddings": Route(Resource.EMBEDDINGS, Tongue.OPEN),
    "images/generations": Route(Resource.IMAGES, Tongue.OPEN),
}
"""Paths behind `/openai/deployments/NAME`, where Azure OpenAI's clients look."""

MODEL_PREFIXES = ("v1/models/", "openai/v1/models/")
"""What follows is a model's name, which may hold slashes."""
_MODEL = Route(Resource.MODEL, Tongue.OPEN)
_ENDPOINTS = "endpoints"
_REMEMBERED = 256
"""Characters of a path whose meaning may be kept: what strangers send must not fill the memory."""
_DEPLOYMENTS = ["openai", "deployments"]
_FIRST_WORDS = frozenset(
    (_ENDPOINTS, *(path.partition("/")[0] for path in (*ENDPOINT, *PROJECT) if path))
)
_OPEN_PATHS = ("/v1/", "/openai/")


def resolve(path: str, host: EndpointName | None = None) -> Address | None:
    """What `path` means; None if nothing.

    Args:
        host: The endpoint that the request's host names. A path may name it too, but no other.
    """
    find = _resolve if len(path) <= _REMEMBERED else _resolve.__wrapped__
    return find(path, host)


@lru_cache(maxsize=512)  # callers use few paths, over and over
def _resolve(path: str, host: EndpointName | None) -> Address | None:
    parts = _without_base([part for part in path.split("/") if part])
    if len(parts) > 1 and parts[0] == _ENDPOINTS:
        named = EndpointName(parts[1])
        if host is not None and host != named:
            return None
        return _look_up(ENDPOINT, _without_base(parts[2:]), named)
    if host is not None:
        return _look_up(ENDPOINT, parts, host)
    return _look_up(PROJECT, parts, None)


def guess_tongue(path: str) -> Tongue:
    """What is spoken at a path that leads nowhere: what it seems to mean."""
    return Tongue.OPEN if any(part in path for part in _OPEN_PATHS) else Tongue.AZURE


def _without_base(parts: list[str]) -> list[str]:
    if not parts or parts[0] in _FIRST_WORDS:
        return parts
    for i, part in enumerate(parts):
        if part in _FIRST_WORDS:
            return parts[i:]
    return parts


def _look_up(
    table: Mapping[str, Route], parts: Sequence[str], endpoint: EndpointName | None
) -> Address | None:
    rest = "/".join(parts)
    if route := table.get(rest):
        return Address(route.resource, route.tongue, endpoint)
    if parts[:2] == _DEPLOYMENTS and len(parts) > 2:
        return _look_up_deployment(endpoint or EndpointName(parts[2]), parts)
    for prefix in MODEL_PREFIXES:
        if rest.startswith(prefix):
            return Address(*_MODEL, endpoint, rest.removeprefix(prefix))
    return None


def _look_up_deployment(endpoint: EndpointName, parts: Sequence[str]) -> Address | None:
    route = DEPLOYMENT.get("/".join(parts[3:]))
    return route and Address(route.resource, route.tongue, endpoint, deployment=parts[2])
