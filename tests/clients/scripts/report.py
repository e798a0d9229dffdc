"""What the scripts of the client matrix share: how to perform features and tell what came back.

A script runs in its client's own environment, where there is neither pytest nor Cupola. It is
called with the kind of client and the features wanted, performs each of them as the client's own
manual would, and prints one line of JSON: by feature, either plain facts or a traceback.
`tests/clients/test_matrix.py` says which facts are right, the same for every client.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any

TARGET = os.environ["TARGET_URI"]
ELSEWHERE = TARGET.rsplit("/", 1)[0] + "/no-such-endpoint"
KEY = os.environ["ENDPOINT_KEY"]
WRONG_KEY = "0123456789abcdef0123456789abcdef"
MODEL = "Cupola-Pilot"
KIND = sys.argv[1]

Facts = dict[str, Any]


def run(script: dict[str, Any]) -> None:
    """Perform the features named on the command line, found by name in the script."""
    performed = {name: _perform(script[name]) for name in sys.argv[2:]}
    print()  # some clients leave words on the last line
    print(json.dumps(performed))


def _perform(feature: Callable[[], Facts]) -> Facts:
    try:
        return feature()
    except Exception:
        return {"failed": traceback.format_exc()}


def whole(reply: Any) -> Facts:
    """Of a whole reply in the shape that all but the frameworks have."""
    choice = reply.choices[0]
    return {
        "text": choice.message.content,
        "finish": plain(choice.finish_reason),
        "model": reply.model,
        "usage": usage(reply.usage),
    }


def usage(counts: Any) -> list[int]:
    return [counts.prompt_tokens, counts.completion_tokens, counts.total_tokens]


def streamed(chunks: Iterable[Any]) -> Facts:
    """Of a stream in the shape that all but the frameworks have; usage comes last, if at all."""
    chunks = list(chunks)
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    reasons = [choice.finish_reason for choice in choices if choice.finish_reason]
    counts = getattr(chunks[-1], "usage", None)
    return {
        "pieces": [choice.delta.content or "" for choice in choices],
        "finish": plain(reasons[-1]),
        "usage": usage(counts) if counts else None,
    }


def calls(message: Any) -> list[Facts]:
    """The tool calls of a message, their arguments read as JSON."""
    return [
        {
            "id": call.id,
            "name": call.function.name,
            "arguments": json.loads(call.function.arguments),
        }
        for call in message.tool_calls
    ]


def scores(logprobs: Any) -> Facts:
    """Of log-probabilities as JSON: each token's own, and how many alternatives it has."""
    tokens = logprobs["content"]
    return {
        "logprobs": [token["logprob"] for token in tokens],
        "alternatives": [len(token["top_logprobs"]) for token in tokens],
    }


def refusal(call: Callable[[], object]) -> Facts:
    """What a program sees that catches the client's exception."""
    try:
        call()
    except Exception as error:
        told = [str(error), *_bodies(error)]
        return {"kind": type(error).__name__, "status": _status(error), "told": " ".join(told)}
    raise AssertionError("nothing was raised")


def plain(reason: Any) -> Any:
    """A finish reason, whether the client has made an enumeration of it or not."""
    return getattr(reason, "value", reason)


def _status(error: Any) -> int | None:
    """Each client has a name of its own for it."""
    response = getattr(error, "response", None)
    found = [getattr(error, name, None) for name in ("status_code", "http_status")]
    return next((status for status in found if status), getattr(response, "status_code", None))


def _bodies(error: Any) -> Iterable[str]:
    """The reply's body, where the client gives it: callers look there for what the text lacks."""
    response = getattr(error, "response", None)
    for body in (getattr(error, "body", None), getattr(response, "text", None)):
        if body:
            yield str(body() if callable(body) else body)
