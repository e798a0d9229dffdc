"""`/score`, the form of managed compute before it knew chats; only its chat form is served.

    {"input_data": {"input_string": [messages], "parameters": {...}}}  ->  {"output": "text"}

Parameters have names of their own here, and one that is not in `KNOWN` is dropped, as the original
does: who still calls this route cannot be changed any more (decision 0011).
"""

from collections.abc import Mapping
from copy import copy
from typing import Any

import msgspec

from cupola.kit.errors import CupolaError, ExtraField, Malformed
from cupola.wire.azure import errors
from cupola.wire.azure.decode import decode as decode_chat
from cupola.wire.canonical import ChatRequest
from cupola.wire.completion import Head, Reply, Style
from cupola.wire.fields import Field, Path, boolean, mapping, required
from cupola.wire.refusal import Refusal

KNOWN = frozenset(
    ("n", "best_of", "presence_penalty", "frequency_penalty", "temperature", "top_p", "top_k",
     "use_beam_search", "length_penalty", "early_stopping", "stop", "stop_token_ids", "ignore_eos",
     "max_tokens", "logprobs", "skip_special_tokens")
)  # fmt: skip
RENAMED: Mapping[str, str] = {
    "max_gen_len": "max_tokens",
    "max_new_tokens": "max_tokens",
    "eos_token_id": "stop_token_ids",
}

_DATA: Path = ("input_data",)
_MESSAGES: Path = (*_DATA, "input_string")
_PARAMETERS: Path = (*_DATA, "parameters")


def decode(body: Mapping[str, Any], fields: Mapping[str, Field]) -> ChatRequest:
    """The chat that `body` asks for.

    Args:
        fields: How parameters are read.
    """
    unknown = [name for name in body if name != "input_data"]
    if unknown:
        raise ExtraField(f"{unknown} are not known here. 'input_data' holds all of a request.")
    data = mapping(required(body, "input_data", ()), _DATA)
    messages = required(data, "input_string", _DATA)
    if isinstance(messages, str) or _is_of_texts(messages):
        raise Malformed(
            "This endpoint serves chats: input should be a list of messages, not of texts",
            code="list_type",
            path=_MESSAGES,
            value=messages,
        )
    parameters = data.get("parameters")
    named = {} if parameters is None else _rename(mapping(parameters, _PARAMETERS))
    return decode_chat({"messages": messages, **named}, "pass-through", fields)


def encode(head: Head, reply: Reply, style: Style) -> bytes:
    """What is left of a chat completion here: the text of its first choice."""
    return msgspec.json.encode({"output": reply.choices[0].text})


def refuse(error: CupolaError) -> Refusal:
    """`error`, said of this form of the body."""
    said = copy(error)
    said.path = _relocate(error.path)
    return errors.refuse(said)


def _is_of_texts(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, str) for item in value)


def _rename(sent: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {name: value for name, value in sent.items() if value is not None}
    named = {name: value for name, value in parameters.items() if name in KNOWN}
    if isinstance(parameters.get("eos_token_id"), int):
        parameters["eos_token_id"] = [parameters["eos_token_id"]]
    for theirs, ours in RENAMED.items():
        if theirs in parameters:
            named.setdefault(ours, parameters[theirs])
    if boolean(named.get("use_beam_search") or False, (*_PARAMETERS, "use_beam_search")):
        named |= {"temperature": 0, "best_of": 2}
    if not boolean(parameters.get("do_sample", True), (*_PARAMETERS, "do_sample")):
        named["temperature"] = 0
    return named


def _relocate(path: Path) -> Path:
    """Where the place of a chat's body lies in ours."""
    if not path or isinstance(path[0], int) or path[0] == _DATA[0]:
        return path
    return (*_MESSAGES, *path[1:]) if path[0] == "messages" else (*_PARAMETERS, *path)
