"""Issuers' keys over HTTP, outside the path of all but the first requests."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import httpx
import msgspec

from cupola.tokens.model import Issuer, is_safe
from cupola.tokens.ports import Jwk, KeysUnreadable

_TIMEOUT: Final = 5.0
"""Seconds for each step: somebody may be waiting."""
_PATIENCE: Final = 10.0
"""Seconds for all steps together."""
_LARGEST: Final = 1024 * 1024
_DISCOVERY: Final = "/.well-known/openid-configuration"


class HttpKeySource:
    """A `KeySource` that asks the issuers themselves, by their discovery documents."""

    async def fetch(self, issuer: Issuer) -> Sequence[Jwk]:
        try:
            async with asyncio.timeout(_PATIENCE), httpx.AsyncClient(timeout=_TIMEOUT) as client:
                uri = issuer.jwks_uri or await _discover(client, issuer)
                keys = (await _get(client, uri)).get("keys")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # TimeoutError is one
            raise KeysUnreadable(f"The keys of {issuer.issuer} cannot be had: {error!r}") from error
        if not isinstance(keys, list):
            raise KeysUnreadable(f"{uri} has no list 'keys'.")
        return [key for key in keys if isinstance(key, dict)]


async def _discover(client: httpx.AsyncClient, issuer: Issuer) -> str:
    """Where the keys are. The document must be the issuer's own, or anyone's keys would count."""
    address = issuer.issuer.rstrip("/") + _DISCOVERY
    document = await _get(client, address)
    if document.get("issuer") != issuer.issuer:
        raise KeysUnreadable(f"{address} is of another issuer: {document.get('issuer')!r}.")
    uri = document.get("jwks_uri")
    if not isinstance(uri, str) or not is_safe(uri):
        raise KeysUnreadable(f"{address} names no 'jwks_uri' that begins with https.")
    return uri


async def _get(client: httpx.AsyncClient, address: str) -> dict[str, Any]:
    body = bytearray()
    async with client.stream("GET", address, headers={"accept": "application/json"}) as reply:
        if reply.status_code != httpx.codes.OK:
            raise KeysUnreadable(f"{address} replied with status {reply.status_code}.")
        async for piece in reply.aiter_bytes():
            body += piece
            if len(body) > _LARGEST:
                raise KeysUnreadable(f"{address} replied with more than {_LARGEST} bytes.")
    try:
        return msgspec.json.decode(bytes(body), type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise KeysUnreadable(f"{address} replied with no JSON object: {error}") from error
