"""An engine that says the last user text back: for tests, demos and machines without a model.

It counts one token a word and keeps the port's contract, constraints included, as far as that goes
without a model: JSON output is the smallest value the schema allows, a required call has the
smallest arguments, and with `auto` it never calls.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import Final

from cupola.engines.grammar import write_grammar
from cupola.engines.instance import make_instance
from cupola.engines.port import (
    Generation,
    JsonOutput,
    Piece,
    Profile,
    ReplicaState,
    Tokens,
    ToolOutput,
    Verbatim,
)
from cupola.kit.errors import CupolaError, EngineFailed, TooLong
from cupola.wire.canonical import Call, Delta, Event, Failed, Finish, Usage

_TEMPLATE: Final = """\
{{- bos_token -}}
{%- for message in messages -%}
{%- if message['role'] == 'user' -%}{{- '[INST] ' + message['content'] + '[/INST]' -}}
{%- elif message['role'] == 'tool' -%}
{{- '[TOOL_RESULTS] ' + message['content'] + '[/TOOL_RESULTS]' -}}
{%- elif message['role'] == 'assistant' -%}{{- ' ' + message['content'] + eos_token -}}
{%- else -%}{{- message['content'] + '\\n\\n' -}}
{%- endif -%}
{%- endfor -%}"""
_CONTROL_TOKENS: Final = {
    "<s>": 1, "</s>": 2, "[INST]": 3, "[/INST]": 4, "[TOOL_CALLS]": 5,
    "[TOOL_RESULTS]": 8, "[/TOOL_RESULTS]": 9,
}  # fmt: skip
_TURN: Final = re.compile(r"^.*\[(?:INST|TOOL_RESULTS)\] ?", re.DOTALL)
_TURN_END: Final = re.compile(r"\[/(?:INST|TOOL_RESULTS)\]$")
_WORD: Final = re.compile(r"\s*\S+\s*$|\s*\S+|\s+$")


@dataclass
class EchoReplica:
    """Says the prompt back.

    Shipped, because users of the platform test against it too.
    """

    context_length: int = 4096
    """Words of prompt and answer together."""
    pause: float = 0.0
    """Seconds before each word."""
    state: ReplicaState = "stopped"
    busy: int = 0
    id: str = ""
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def profile(self) -> Profile:
        """A Mistral-like layout."""
        return Profile(
            context_length=self.context_length,
            chat_template=_TEMPLATE,
            bos_token="<s>",
            eos_token="</s>",
            control_tokens=_CONTROL_TOKENS,
            tool_calls_token=_CONTROL_TOKENS["[TOOL_CALLS]"],
            grammar=True,
            engine="echo",
        )

    async def start(self) -> None:
        """It is ready at once."""
        self._ended.clear()
        self.state = "ready"

    async def wait_ended(self) -> str:
        """Returns after `stop` or `fail`."""
        await self._ended.wait()
        return "The engine was stopped." if self.state == "stopped" else "The engine ended."

    async def stop(self) -> None:
        """End; it can be started again."""
        self.state = "stopped"
        self._ended.set()

    def fail(self) -> None:
        """End as a process that dies does: for tests of what watches it."""
        self.state = "failed"
        self._ended.set()

    async def generate(self, request: Generation) -> AsyncGenerator[Event, None]:
        """Yield the answer word by word, or as one text."""
        self.busy += 1
        request.tally.begin()
        try:
            for event in self._answer(request):
                if self.state != "ready":
                    yield Failed(EngineFailed("The model's engine stopped while answering."))
                    return
                if self.pause:
                    await asyncio.sleep(self.pause)
                if isinstance(event, Delta):
                    request.tally.completion += event.tokens
                yield event
        except CupolaError as error:
            yield Failed(error)
        finally:
            self.busy -= 1

    def _answer(self, request: Generation) -> Iterator[Event]:
        _check_constraint(request, _CONTROL_TOKENS["[TOOL_CALLS]"])
        prompt = len(_read_prompt(request).split())
        if (room := self.context_length - prompt) < 1:
            raise TooLong(
                f"This model's maximum context length is {self.context_length} tokens. However, "
                f"your messages resulted in {prompt} tokens. Please reduce their length.",
                path=("messages",),
            )
        request.tally.taken, request.tally.prompt = True, prompt
        if call := _find_call(request):
            words = len(call.arguments.split())
            yield call
            yield Finish("tool_calls", Usage(prompt, words))
        else:
            yield from _say(request, prompt, min(room, request.max_tokens or room))


def _say(request: Generation, prompt: int, room: int) -> Iterator[Event]:
    words = _WORD.findall(_cut(_find_text(request), request.stop))
    said = words[:room]
    for text in said if request.incremental else ["".join(said)]:
        yield Delta(text, 1 if request.incremental else len(said))
    yield Finish("length" if len(said) < len(words) else "stop", Usage(prompt, len(said)))


def _check_constraint(request: Generation, token: int) -> None:
    """Refuse the schemas that a decoder would refuse."""
    if request.constraint is not None:
        write_grammar(request.constraint, tool_calls_token=token, leading_space=False)


def _read_prompt(request: Generation) -> str:
    return "".join([_read_piece(piece) for piece in request.prompt])


def _read_piece(piece: Piece) -> str:
    if isinstance(piece, Tokens):
        return "".join([f" {token}" for token in piece.ids])
    return piece.text if isinstance(piece, Verbatim) else piece


def _find_text(request: Generation) -> str:
    constraint = request.constraint
    if isinstance(constraint, ToolOutput):
        constraint = constraint.content
    if isinstance(constraint, JsonOutput):
        return json.dumps(make_instance(constraint.schema))
    return _TURN_END.sub("", _TURN.sub("", _read_prompt(request)))


def _find_call(request: Generation) -> Call | None:
    constraint = request.constraint
    if not isinstance(constraint, ToolOutput) or constraint.mode != "required":
        return None
    tool = constraint.tools[0]
    return Call(tool.name, json.dumps(make_instance({"type": "object", **tool.parameters})))


def _cut(text: str, stops: tuple[str, ...]) -> str:
    """`text` up to the first stop string in it."""
    ends = [at for stop in stops if (at := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text
