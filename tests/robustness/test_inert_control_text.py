"""Text that looks like a control token reaches the model as characters, never as the token.

Proved with the real engine's token ids. A request is prepared as the gateway prepares it, and the
running engine is asked for the ids of each piece. The ids may hold no more control tokens than the
layout itself writes; and the engine must have counted exactly so many ids when the same request
came in by the front door, so these are the ids that it worked on.
"""

import http.client
import json
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cupola.catalog.store import SHIPPED_WEIGHTS
from cupola.engines.gguf import profile, read_header
from cupola.engines.port import Piece, Profile, Verbatim
from cupola.gateway.layout import Layout
from cupola.gateway.prepare import render
from cupola.kit.clock import SystemClock
from cupola.wire.azure.decode import decode
from tests.robustness.bad_requests import chat
from tests.robustness.processes import engine_of, socket_of
from tests.robustness.raw_http import exchange, request
from tests.running import Running

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="finds the engine in /proc")

Fields = Mapping[str, Any]

CONTROL = [
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[TOOL_CALLS]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
]
_ID = "abc0dF1gh"


def _as_user(text: str) -> Fields:
    return {"messages": [{"role": "user", "content": text}]}


def _as_system(text: str) -> Fields:
    return {"messages": [{"role": "system", "content": text}, {"role": "user", "content": "Hi"}]}


def _as_assistant(text: str) -> Fields:
    talk = [("user", "Hi"), ("assistant", text), ("user", "And now?")]
    return {"messages": [{"role": role, "content": content} for role, content in talk]}


def _as_tool_result(text: str) -> Fields:
    call = {"id": _ID, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": _ID, "content": text},
        ],
    }


def _as_call_argument(text: str) -> Fields:
    fields = _as_tool_result("done")
    function = fields["messages"][1]["tool_calls"][0]["function"]
    function["arguments"] = json.dumps({"text": text})
    return fields


def _as_tool_description(text: str) -> Fields:
    function = {"name": "f", "description": text, "parameters": {"type": "object"}}
    return {**_as_user("Hi"), "tools": [{"type": "function", "function": function}]}


PLACES = {
    "user": _as_user,
    "system": _as_system,
    "assistant": _as_assistant,
    "tool-result": _as_tool_result,
    "call-argument": _as_call_argument,
    "tool-description": _as_tool_description,
}


class Engine:
    """The tokenizer and the front door of the running engine."""

    def __init__(self, running: Running) -> None:
        own = running.home / "models" / "Cupola-Pilot.gguf"
        weights = own if own.exists() else SHIPPED_WEIGHTS / "Cupola-Pilot.gguf"
        self.profile: Profile = profile(read_header(weights), None)
        self._layout = Layout(self.profile, SystemClock())
        self._running = running
        self._socket = socket_of(engine_of(running.pid))

    def ids(self, fields: Fields) -> list[int]:
        """Of the prompt that the gateway makes of a request."""
        body = json.loads(chat(**fields))
        pieces = render(decode(body, None), self._layout)
        return [token for piece in pieces for token in self._tokenize(piece)]

    def count(self, fields: Fields) -> int:
        """How many ids the engine worked on when the request came in by the front door."""
        body = chat(**{**fields, "max_tokens": 1})
        answer = exchange(self._running, [request(self._running, body)])
        assert 200 == answer.status, answer
        tokens: int = answer.json()["usage"]["prompt_tokens"]
        return tokens

    def _tokenize(self, piece: Piece) -> list[int]:
        verbatim = isinstance(piece, Verbatim)
        text = piece.text if isinstance(piece, Verbatim) else piece
        body = {"content": text, "add_special": False, "parse_special": not verbatim}
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self._socket)
            client = http.client.HTTPConnection("engine")
            client.sock = connection
            client.request("POST", "/tokenize", json.dumps(body))
            tokens: list[int] = json.load(client.getresponse())["tokens"]
        return tokens


@pytest.fixture(scope="module")
def engine(running: Running) -> Engine:
    return Engine(running)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_control_text_never_becomes_the_token(
    engine: Engine, place: Callable[[str], Fields]
) -> None:
    """Whatever the text, the prompt has the control tokens that the layout writes, and no other."""
    control = set(engine.profile.control_tokens.values())

    def controls(text: str) -> Counter[int]:
        return Counter(token for token in engine.ids(place(text)) if token in control)

    harmless = controls("one two")

    assert harmless
    assert dict.fromkeys(CONTROL, harmless) == {
        text: controls(f"one {text} two{text}") for text in CONTROL
    }


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_these_are_the_ids_that_the_engine_works_on(
    engine: Engine, place: Callable[[str], Fields]
) -> None:
    """Nothing is dropped, split or joined between the gateway's pieces and the engine."""
    text = "one " + " ".join(CONTROL) + " two"

    assert len(engine.ids(place(text))) == engine.count(place(text))


@pytest.mark.parametrize("text", ["one [/INS", "T] two", "[", "]", "</", "s>", "\U000f0000" + "0"])
def test_halves_of_control_text_stay_halves(engine: Engine, text: str) -> None:
    """A text cannot complete a token with what the layout writes beside it, nor forge our marks."""
    control = set(engine.profile.control_tokens.values())

    ids = engine.ids(_as_user(text))

    assert sum(token in control for token in ids) == sum(
        token in control for token in engine.ids(_as_user("one"))
    )
    assert len(ids) == engine.count(_as_user(text))


def test_control_text_survives_as_characters(engine: Engine) -> None:
    """It is not removed either: what it costs in tokens is what its characters cost."""
    without = engine.count(_as_user("one two"))

    added = {text: engine.count(_as_user(f"one {text} two")) - without for text in CONTROL}

    assert all(tokens > 2 for tokens in added.values()), added
