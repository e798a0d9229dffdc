"""Which dialect a route speaks: how its bodies are read, its replies styled, its errors written.

`/v1` and `/openai` serve two kinds of clients, OpenAI's and Mistral's. They know the names of both;
usage goes where Mistral puts it unless the body asks for it as OpenAI's do. Errors are the object
that OpenAI's clients read; faults of the body have, beside it, the list that Mistral's parses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.json import encode

from cupola.gateway.address import Address, Tongue, guess_tongue
from cupola.gateway.authenticate import Headers
from cupola.kit.errors import CupolaError
from cupola.wire import chat
from cupola.wire.azure import decode as azure_decode
from cupola.wire.azure import encode as azure_encode
from cupola.wire.azure import errors as azure_errors
from cupola.wire.azure import score
from cupola.wire.canonical import ChatRequest
from cupola.wire.completion import Style
from cupola.wire.fields import Field
from cupola.wire.mistral import decode as mistral_decode
from cupola.wire.mistral import encode as mistral_encode
from cupola.wire.mistral import errors as mistral_errors
from cupola.wire.openai import decode as openai_decode
from cupola.wire.openai import encode as openai_encode
from cupola.wire.openai import errors as openai_errors
from cupola.wire.refusal import Refusal, details


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one route speaks."""

    fields: Mapping[str, Field]
    """The names it knows, also for its OpenAPI document."""
    read: Callable[[Mapping[str, Any], Headers], ChatRequest]
    style: Callable[[ChatRequest], Style]
    refuse: Callable[[CupolaError], Refusal]
    reshape: Callable[[bytes], bytes] | None = None
    """What becomes of a chat's whole reply, where it is not sent as it is."""


_EXTRA = {**openai_decode.FIELDS, **mistral_decode.FIELDS}
_FOUNDRY = {**mistral_decode.FIELDS, **azure_decode.FIELDS}
_V1 = {**_EXTRA, **chat.FIELDS}
_SCORE = {
    name: field
    for name, field in {**score.FIELDS, **_V1}.items()
    if name in score.KNOWN or name == "messages"
}


def _policy(headers: Headers) -> str | None:
    value = headers.get(azure_decode.HEADER.encode())
    return None if value is None else value.decode("latin-1")


def _read_azure(body: Mapping[str, Any], headers: Headers) -> ChatRequest:
    return azure_decode.decode(body, _policy(headers), azure_decode.FIELDS, _EXTRA)


def _read_foundry(body: Mapping[str, Any], headers: Headers) -> ChatRequest:
    return azure_decode.decode(body, _policy(headers), _FOUNDRY, _EXTRA)


def _read_v1(body: Mapping[str, Any], headers: Headers) -> ChatRequest:
    return chat.read_chat(body, _V1)


def _read_score(body: Mapping[str, Any], headers: Headers) -> ChatRequest:
    return score.decode(body, _SCORE)


def _style_azure(request: ChatRequest) -> Style:
    return azure_encode.STYLE


def _style_v1(request: ChatRequest) -> Style:
    return openai_encode.STYLE if request.include_usage else mistral_encode.STYLE


def _refuse_v1(error: CupolaError) -> Refusal:
    if error.kind not in mistral_errors.LISTED:
        return openai_errors.refuse(error)
    status, code = mistral_errors.TABLE[error.kind]
    both = {"detail": details(error), "error": openai_errors.describe(error)}
    return Refusal(status, code, encode(both))


AZURE = Dialect(azure_decode.FIELDS, _read_azure, _style_azure, azure_errors.refuse)
FOUNDRY = Dialect(_FOUNDRY, _read_foundry, _style_azure, azure_errors.refuse_with_list)
OPEN = Dialect(_V1, _read_v1, _style_v1, _refuse_v1)
SCORE = Dialect(_SCORE, _read_score, _style_azure, score.refuse, score.encode)

DIALECTS: Mapping[Tongue, Dialect] = {
    Tongue.AZURE: AZURE,
    Tongue.FOUNDRY: FOUNDRY,
    Tongue.OPEN: OPEN,
    Tongue.SCORE: SCORE,
}


def dialect_of(address: Address | None, path: str) -> Dialect:
    """What is spoken at `address`; an unknown path is told so in the dialect it seems to mean."""
    return DIALECTS[guess_tongue(path) if address is None else address.tongue]
