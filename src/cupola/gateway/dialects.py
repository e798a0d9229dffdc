"""Which dialect a route speaks: how its bodies are read, its replies styled, its errors written.

`/v1` and `/openai` serve two kinds of clients, OpenAI's and Mistral's. They know the names of both;
usage goes where Mistral puts it unless the body asks for it as OpenAI's do. Errors are the object
that OpenAI's clients read; faults of the body have, beside it, the list that Mistral's parses.
"""

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeAlias

from msgspec.json import encode
from msgspec.structs import replace

from cupola.gateway.address import Address, Tongue, guess_tongue
from cupola.gateway.authenticate import Headers
from cupola.kit.errors import CupolaError, Kind
from cupola.wire import chat, sampling, text
from cupola.wire.azure import decode as azure_decode
from cupola.wire.azure import encode as azure_encode
from cupola.wire.azure import errors as azure_errors
from cupola.wire.azure import score
from cupola.wire.canonical import ChatRequest, Sampled, TextRequest
from cupola.wire.completion import Chunks, Head, Reply, StreamEncoder, Style, encode_reply
from cupola.wire.fields import Field
from cupola.wire.mistral import decode as mistral_decode
from cupola.wire.mistral import encode as mistral_encode
from cupola.wire.mistral import errors as mistral_errors
from cupola.wire.openai import decode as openai_decode
from cupola.wire.openai import encode as openai_encode
from cupola.wire.openai import errors as openai_errors
from cupola.wire.refusal import Refusal, details
from cupola.wire.text_completion import TextChunks, encode_text_reply

Request: TypeAlias = ChatRequest | TextRequest


@dataclass(frozen=True, slots=True)
class Shape:
    """How replies of one kind are written."""

    whole: Callable[[Head, Reply, Style], bytes]
    stream: Callable[[Head, Style], StreamEncoder]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one route speaks."""

    fields: Mapping[str, Field]
    """The names it knows, also for its OpenAPI document."""
    read: Callable[[Mapping[str, Any], Headers], Request]
    style: Callable[[Sampled], Style]
    refuse: Callable[[CupolaError], Refusal]
    shape: Shape
    name: str = "azure"
    """As records of usage have it."""


EXTRA = {**openai_decode.FIELDS, **mistral_decode.FIELDS}
_FOUNDRY = {**mistral_decode.FIELDS, **azure_decode.FIELDS}
_V1 = {**EXTRA, **chat.FIELDS}
_SCORE = {name: field for name, field in _V1.items() if name in score.KNOWN or name == "messages"}
_OF_TEXT = (
    *sampling.FIELDS, "stream_options", "user", "metadata", "random_seed", "max_completion_tokens",
)  # fmt: skip
"""Of the names beyond `text.FIELDS`, those that mean something for text."""
TEXT_EXTRA = {**{name: EXTRA[name] for name in _OF_TEXT}, **text.LEGACY}
_TEXT_V1 = {**TEXT_EXTRA, **text.FIELDS}
_FILL = {**{name: EXTRA[name] for name in _OF_TEXT}, **text.FILL}
_CHAT = Shape(encode_reply, Chunks)
_TEXT = Shape(encode_text_reply, TextChunks)
_MOST_TOKENS_AZURE, _MOST_TOKENS_V1 = 256, 16
"""Of a text completion that sets no limit: as the Azure service and as OpenAI and vLLM have it."""


def _policy(headers: Headers) -> str | None:
    value = headers.get(azure_decode.HEADER.encode())
    return None if value is None else value.decode("latin-1")


def _read_azure(body: Mapping[str, Any], headers: Headers) -> ChatRequest:
    return azure_decode.decode(body, _policy(headers), azure_decode.FIELDS, EXTRA)


def _read_foundry(body: Mapping[str, Any], headers: Headers) -> ChatRequest:
    return azure_decode.decode(body, _policy(headers), _FOUNDRY, EXTRA)


def _read_v1(body: Mapping[str, Any], headers: Headers) -> ChatRequest:
    return chat.read_chat(body, _V1)


def _read_score(body: Mapping[str, Any], headers: Headers) -> ChatRequest:
    return score.decode(body, _SCORE)


def _read_text_azure(body: Mapping[str, Any], headers: Headers) -> TextRequest:
    policy = _policy(headers)
    request = azure_decode.decode(body, policy, text.FIELDS, TEXT_EXTRA, text.read_text)
    return _limit(request, _MOST_TOKENS_AZURE)


def _read_text_v1(body: Mapping[str, Any], headers: Headers) -> TextRequest:
    return _limit(text.read_text(body, _TEXT_V1), _MOST_TOKENS_V1)


def _read_fill(body: Mapping[str, Any], headers: Headers) -> TextRequest:
    request = text.read_text(body, _FILL)
    return request if request.suffix is not None else replace(request, suffix="")


def _limit(request: TextRequest, tokens: int) -> TextRequest:
    return request if request.max_tokens is not None else replace(request, max_tokens=tokens)


def _style_azure(request: Sampled) -> Style:
    return _told(azure_encode.STYLE, request)


def _style_v1(request: Sampled) -> Style:
    return _told(openai_encode.STYLE if request.include_usage else mistral_encode.STYLE, request)


def _told(style: Style, request: Sampled) -> Style:
    if request.logprobs is None or not request.logprobs.with_chosen:
        return style
    return replace(style, chosen_too=True)


def _refuse_v1(error: CupolaError) -> Refusal:
    if error.kind not in mistral_errors.LISTED:
        return openai_errors.refuse(error)
    status, code = mistral_errors.TABLE[error.kind]
    both = {"detail": details(error), "error": openai_errors.describe(error)}
    return Refusal(status, code, encode(both))


def _of_prompt(refuse: Callable[[CupolaError], Refusal]) -> Callable[[CupolaError], Refusal]:
    """`refuse`, for routes without messages, by which name engines call all that is too long."""

    def refuse_text(error: CupolaError) -> Refusal:
        if error.kind is Kind.TOO_LONG:
            error = copy(error)
            error.path = ("prompt",)
        return refuse(error)

    return refuse_text


AZURE = Dialect(azure_decode.FIELDS, _read_azure, _style_azure, azure_errors.refuse, _CHAT)
FOUNDRY = Dialect(_FOUNDRY, _read_foundry, _style_azure, azure_errors.refuse_with_list, _CHAT)
OPEN = Dialect(_V1, _read_v1, _style_v1, _refuse_v1, _CHAT, "openai")
SCORE = Dialect(_SCORE, _read_score, _style_azure, score.refuse, Shape(score.encode, Chunks))
TEXT_AZURE = Dialect(
    text.FIELDS, _read_text_azure, _style_azure, _of_prompt(azure_errors.refuse), _TEXT
)
TEXT_OPEN = Dialect(_TEXT_V1, _read_text_v1, _style_v1, _of_prompt(_refuse_v1), _TEXT, "openai")
FILL = Dialect(_FILL, _read_fill, _style_v1, _of_prompt(_refuse_v1), _CHAT, "mistral")

DIALECTS: Mapping[Tongue, Dialect] = {
    Tongue.AZURE: AZURE,
    Tongue.FOUNDRY: FOUNDRY,
    Tongue.OPEN: OPEN,
    Tongue.SCORE: SCORE,
    Tongue.TEXT_AZURE: TEXT_AZURE,
    Tongue.TEXT_OPEN: TEXT_OPEN,
    Tongue.FILL: FILL,
}


def dialect_of(address: Address | None, path: str) -> Dialect:
    """What is spoken at `address`; an unknown path is told so in the dialect it seems to mean."""
    return DIALECTS[guess_tongue(path) if address is None else address.tongue]
