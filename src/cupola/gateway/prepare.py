"""A checked request -> what an engine is asked to continue.

Tools are shown to the model whatever `tool_choice` says, `none` included: the prompt then begins as
in the calls before and after, so its cache holds, and that no call is made is the decoder's work. A
function that must be called narrows the constraint, not the prompt, for the same reason.
"""

import json
from collections.abc import Sequence
from typing import Any

from cupola.engines.by_heart import find_argument
from cupola.engines.port import Constraint, Generation, JsonOutput, Piece, Profile, ToolOutput
from cupola.gateway.directory import Served
from cupola.gateway.inert import ControlText, StandIns
from cupola.gateway.layout import Layout
from cupola.gateway.safe_prompt import with_safe_prompt
from cupola.gateway.tool_prompt import explain_tools, uses_tools
from cupola.kit.clock import Clock
from cupola.kit.errors import Invalid
from cupola.wire.canonical import ChatRequest, Message, ResponseFormat, Sampled, Tool

_MOST_LAYOUTS = 64
"""Compiled templates kept; a redeployed endpoint brings a new profile."""
_NO_PARAMETERS = {"type": "object", "properties": {}}


class Layouts:
    """The layout of each profile, compiled when it is first needed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._compiled: dict[int, tuple[Profile, Layout]] = {}

    def of(self, profile: Profile) -> Layout:
        """The layout of `profile`."""
        # By identity: to hash a template would cost more than all else here. The entry keeps the
        # profile alive, so the identity cannot be given to another.
        found = self._compiled.get(id(profile))
        if found is None:
            if len(self._compiled) >= _MOST_LAYOUTS:
                self._compiled.clear()
            found = self._compiled[id(profile)] = (profile, Layout(profile, self._clock))
        return found[1]


def sample(
    request: Sampled, served: Served, prompt: tuple[Piece, ...], known: tuple[str, ...] = ()
) -> Generation:
    """The generation that answers `request`, whose prompt is ready and names the `known` tools."""
    temperature = request.temperature
    if temperature is None:
        temperature = served.default_temperature
    top_p = 1.0 if request.top_p is None else request.top_p
    if top_p == 0:  # an empty nucleus holds the likeliest token: what greedy means
        temperature, top_p = 0.0, 1.0
    return Generation(
        prompt=prompt,
        max_tokens=request.max_tokens,
        temperature=temperature,
        top_p=top_p,
        seed=request.seed,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
        stop=request.stop,
        constraint=constraint(request, known) if type(request) is ChatRequest else None,
        logprobs=_logprobs(request),
        options=request.options,
        beams=request.best_of or request.n,
        choices=request.n,
        incremental=request.stream,
    )


def _logprobs(request: Sampled) -> int | None:
    """How many alternatives the engine must tell of; to rank replies it needs none."""
    asked = request.logprobs
    if asked is not None:
        return max(asked.alternatives, request.top_logprobs)
    ranked = request.best_of is not None and request.best_of > request.n
    searches = request.options is not None and request.options.use_beam_search
    return 0 if ranked and not searches else None


def find_known(request: ChatRequest, layout: Layout) -> tuple[str, ...]:
    """Names of the tools that the model knows by heart, if its prompt can say so.

    None of them was called before in a way that their form cannot show.
    """
    if not request.tools or not layout.names_known:
        return ()
    known = {tool.name: name for tool in request.tools if (name := find_argument(tool))}
    for call in [call for message in request.messages for call in message.tool_calls]:
        if call.name in known and not _fits(json.loads(call.arguments), known[call.name]):
            del known[call.name]
    return tuple(known)


def _fits(arguments: Any, name: str) -> bool:
    return type(arguments) is dict and arguments.keys() == {name} and type(arguments[name]) is str


def constraint(request: ChatRequest, known: tuple[str, ...] = ()) -> Constraint | None:
    """What the decoder must hold the reply to."""
    content = _content(request.response_format)
    choice = request.tool_choice
    mode = choice.mode if choice else "auto"
    if not request.tools or mode == "none":
        return content
    if mode == "auto":
        return ToolOutput(request.tools, "auto", request.parallel_tool_calls, content, known)
    if choice and choice.name:
        named = tuple(tool for tool in request.tools if tool.name == choice.name)
        known = (choice.name,) if choice.name in known else ()
        return ToolOutput(named, "required", parallel=False, by_heart=known)
    return ToolOutput(request.tools, "required", request.parallel_tool_calls, by_heart=known)


def render(request: ChatRequest, layout: Layout, known: tuple[str, ...] = ()) -> tuple[Piece, ...]:
    """The prompt, in which only the template's own control tokens count.

    Args:
        known: Names of tools to be named only, for the model knows them by heart.
    """
    messages = request.messages
    if request.safe_prompt:
        messages = with_safe_prompt(messages)
    tools = request.tools
    if not layout.takes_tools and (tools or uses_tools(messages)):
        messages, tools = explain_tools(messages, tools), ()
    if layout.folds_system and any(message.role == "system" for message in messages):
        messages = _fold_system(messages)
    turns = [_turn(message) for message in messages]
    shown = [_shown(tool) for tool in tools if tool.name not in known] or None
    continues = messages[-1].prefix
    if continues or _holds_control_text(turns, shown, layout.control):
        return _render_protected(turns, shown, layout, known, continues=continues)
    return (layout.render(turns, shown, opening=True, known=known),)


def _holds_control_text(
    turns: Sequence[dict[str, Any]], tools: list[Any] | None, control: ControlText
) -> bool:
    for turn in turns:
        # Most turns are a role, which is ours, and a text.
        if control.is_in(turn["content"]) or (len(turn) > 2 and control.is_in_any(turn)):
            return True
    return tools is not None and control.is_in_any(tools)


def _render_protected(
    turns: list[dict[str, Any]],
    tools: list[Any] | None,
    layout: Layout,
    known: tuple[str, ...],
    *,
    continues: bool,
) -> tuple[Piece, ...]:
    stand_ins = StandIns(layout.control)
    turns = [_protect(turn, stand_ins) for turn in turns]
    if not continues:
        prompt = layout.render(turns, stand_ins.protect(tools), opening=True, known=known)
        return stand_ins.resolve(prompt)
    end = stand_ins.end_mark()
    turns[-1]["content"] += end
    prompt = layout.render(turns, stand_ins.protect(tools), opening=False, known=known)
    if end not in prompt:
        raise Invalid("This model cannot continue a prefix.", path=("messages", len(turns) - 1))
    return stand_ins.resolve(prompt, end)


def _protect(turn: dict[str, Any], stand_ins: StandIns) -> dict[str, Any]:
    """`turn`, protected but for its keys and its role, which are ours."""
    return {k: v if k == "role" else stand_ins.protect(v) for k, v in turn.items()}


def _content(form: ResponseFormat) -> JsonOutput | None:
    if form.type == "text":
        return None
    return JsonOutput({"type": "object"} if form.schema is None else form.schema)


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        turn["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                # An object, as templates expect it: they write it as they were trained on it.
                "function": {"name": call.name, "arguments": json.loads(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    return turn


def _shown(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters or _NO_PARAMETERS
    return {"type": "function", "function": function}


def _fold_system(messages: Sequence[Message]) -> tuple[Message, ...]:
    """System text as part of the user's, for models without a system role.

    Followed by a user's message it stands before that one's text, otherwise it is a user's message.
    """
    folded: list[Message] = []
    waiting: list[str] = []
    for message in messages:
        if message.role == "system":
            waiting.append(message.content)
        elif message.role == "user":
            folded.append(Message("user", "\n\n".join([*waiting, message.content])))
            waiting = []
        else:
            folded += [Message("user", "\n\n".join(waiting))] if waiting else []
            folded.append(message)
            waiting = []
    return (*folded, *([Message("user", "\n\n".join(waiting))] if waiting else []))
