"""Log-probabilities as upstreams tell them, in either shape -> canonical.

    chat      {"content": [{"token", "logprob", "bytes"?, "token_id"?, "top_logprobs": [...]}]}
    legacy    {"tokens": [...], "token_logprobs": [...], "top_logprobs": [{token: logprob}]}

Text completions have the legacy shape; some services have it for chats, too.
"""

import msgspec
from msgspec import Raw, Struct

from cupola.wire.canonical import Candidate, TokenLogprob


class _Told(Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None
    token_id: int | None = None


class _Place(_Told):
    top_logprobs: list[_Told] | None = None


class _Shape(Struct):
    content: list[_Place] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


_decode = msgspec.json.Decoder(_Shape | None).decode


def read_logprobs(value: Raw, alternatives: int) -> tuple[TokenLogprob, ...]:
    """What `value` tells of each token.

    Args:
        alternatives: How many were asked for; services give one more in places.

    Raises:
        msgspec.DecodeError: It has neither shape.
        ValueError: Its bytes are none.
    """
    shape = _decode(value)
    if shape is None:
        return ()
    if shape.content is not None:
        return tuple([_read_place(place, alternatives) for place in shape.content])
    return _read_legacy(shape, alternatives)


def _read_place(place: _Place, alternatives: int) -> TokenLogprob:
    likely = [_candidate(told) for told in place.top_logprobs or ()]
    return TokenLogprob(_candidate(place), _rank(likely, alternatives))


def _read_legacy(shape: _Shape, alternatives: int) -> tuple[TokenLogprob, ...]:
    tokens = shape.tokens or []
    tops = shape.top_logprobs or [None] * len(tokens)
    places = []
    for token, logprob, top in zip(tokens, shape.token_logprobs or (), tops, strict=False):
        if logprob is None:  # an echoed prompt's first token, which has no probability
            continue
        likely = [Candidate(text.encode(), value) for text, value in (top or {}).items()]
        places.append(TokenLogprob(Candidate(token.encode(), logprob), _rank(likely, alternatives)))
    return tuple(places)


def _candidate(told: _Told) -> Candidate:
    text = told.token.encode() if told.bytes is None else bytes(told.bytes)
    return Candidate(text, told.logprob, told.token_id)


def _rank(likely: list[Candidate], alternatives: int) -> tuple[Candidate, ...]:
    likely.sort(key=lambda one: one.logprob, reverse=True)
    return tuple(likely[:alternatives])
