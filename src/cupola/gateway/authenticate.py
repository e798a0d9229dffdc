"""Who calls: the key of a request -> the endpoints it may call.

Azure's current clients send the key twice, as `Authorization: Bearer K` and as `api-key: K`; others
send either. One good key is enough. A key is looked up by its digest, so neither time nor memory
tells anything about keys that exist, and none is kept or logged.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from cupola.gateway.directory import Served, Snapshot
from cupola.ids import EndpointName
from cupola.kit.errors import Invalid, NotFound, Unauthenticated

Digest: TypeAlias = Callable[[str], bytes]
Headers: TypeAlias = Mapping[bytes, bytes]

LONGEST_KEY = 512
"""Ours have 32 characters; more than this is not worth a digest."""
ANY_MODEL = "azureai"
"""What Mistral's Azure client sends when its user names no model."""


def authenticate(headers: Headers, snapshot: Snapshot, digest: Digest) -> frozenset[EndpointName]:
    """The endpoints that the request's key may call."""
    keys = _keys(headers)
    for key in keys:
        endpoints = snapshot.keys.get(digest(key))
        if endpoints is not None:
            return endpoints
    if keys:
        raise Unauthenticated("The key is not valid here. Check it, and the endpoint's URL.")
    raise Unauthenticated(
        "No key was sent. Send the endpoint's key in the header 'Authorization: Bearer KEY' or "
        "'api-key: KEY'."
    )


def find_served(
    snapshot: Snapshot, allowed: frozenset[EndpointName], endpoint: EndpointName
) -> Served:
    """The endpoint of that name. Someone else's is as unknown as one that does not exist."""
    if endpoint in allowed and endpoint in snapshot.endpoints:
        return snapshot.endpoints[endpoint]
    raise NotFound(f"There is no endpoint '{endpoint[:64]}' that this key may call.")


def choose_served(
    snapshot: Snapshot, allowed: frozenset[EndpointName], model: str | None
) -> Served:
    """The endpoint that a project-wide request means by its body's `model`."""
    return choose_among(list_served(snapshot, allowed), model)


def choose_among(served: Sequence[Served], model: str | None) -> Served:
    """The one of `served` that is meant by `model`."""
    named = served if model in (None, "", ANY_MODEL) else _named(served, str(model))
    if len(named) == 1:
        return named[0]
    names = ", ".join(one.endpoint for one in served)
    if not named:
        raise NotFound(
            f"There is no model '{str(model)[:64]}' that this key may call. It may call: {names}."
        )
    raise Invalid(
        f"Several endpoints could be meant. Say which in 'model': {names}.",
        path=("model",),
        value=model,
    )


def list_served(snapshot: Snapshot, allowed: frozenset[EndpointName]) -> list[Served]:
    """The endpoints that a key may call, in the order of their names."""
    return [snapshot.endpoints[name] for name in sorted(allowed) if name in snapshot.endpoints]


def _named(served: Sequence[Served], model: str) -> Sequence[Served]:
    by_endpoint = [one for one in served if one.endpoint == model]
    return by_endpoint or [one for one in served if one.model == model]


def _keys(headers: Headers) -> list[str]:
    """The distinct keys a request carries."""
    scheme, _, bearer = headers.get(b"authorization", b"").partition(b" ")
    key = headers.get(b"api-key")
    found = [bearer] if scheme.lower() == b"bearer" else []
    if key is not None and key != bearer:
        found.append(key)
    stripped = [one.strip() for one in found]
    return [one.decode("latin-1") for one in stripped if 0 < len(one) <= LONGEST_KEY]
