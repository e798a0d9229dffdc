"""Whether a well-formed request makes sense, and whether this model can do what it asks.

Ranges and types were settled when the body was read (`wire`); here stand the rules between fields,
between messages, and against the model. Where services differ on the order of messages, the
rule is what the layout can express: results answer calls, and somebody must be waiting for a
reply. Everything refused says where and, if it is not plain, what to do.
"""

import re
from collections.abc import Sequence

from cupola.engines.port import Profile
from cupola.gateway.check_sampling import check_sampling
from cupola.gateway.directory import Served
from cupola.gateway.plan import check_fill
from cupola.kit.errors import Invalid, NotFound, TooLong, Unsupported
from cupola.wire.canonical import ChatRequest, Message, Sampled, TextRequest

_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check(request: ChatRequest, served: Served) -> None:
    """Raise what is wrong with `request`, if anything is."""
    _check_shared(request, served, served.profile.capabilities)
    _check_messages(request.messages, served.profile)
    if request.response_format.type != "text" and not served.profile.grammar:
        raise Unsupported(
            f"The model {served.model} cannot be held to JSON.",
            path=("response_format",),
            value=request.response_format.type,
        )
    if request.tools or request.tool_choice:
        _check_tools(request, served)


def check_text(request: TextRequest, served: Served) -> None:
    """Raise what is wrong with `request`, if anything is."""
    _check_shared(request, served, frozenset())
    if request.suffix is not None:
        check_fill(served)
    elif not served.profile.continues_text:
        raise NotFound(f"The model {served.model} chats; it does not complete plain text here.")
    if request.echo and request.logprobs is not None:
        raise Unsupported(
            "Log-probabilities of the prompt cannot be told: leave out 'echo' or 'logprobs'.",
            path=("echo",),
        )
    if request.echo and not all(isinstance(prompt, str) for prompt in request.prompts):
        raise Unsupported("A prompt of token ids cannot be echoed.", path=("echo",))


def _check_shared(request: Sampled, served: Served, handed_on: frozenset[str]) -> None:
    if request.extras:
        _refuse_extras(request, served, handed_on)
    if request.include_usage and not request.stream:
        raise Invalid("'stream_options' needs 'stream': true.", path=("stream_options",))
    check_sampling(request, served)


def _refuse_extras(request: Sampled, served: Served, handed_on: frozenset[str]) -> None:
    for name, value in request.extras.items():
        if name not in handed_on:
            raise Unsupported(
                f"The model {served.model}, as served here, does not support '{name}' with this "
                "value. Leave it out.",
                path=(name,),
                value=value,
            )


def _check_messages(messages: Sequence[Message], profile: Profile) -> None:
    if len(messages) > profile.context_length:  # each costs at least a token: not worth rendering
        raise TooLong(
            f"The conversation has {len(messages)} messages, more than the model's context of "
            f"{profile.context_length} tokens can hold.",
            path=("messages",),
        )
    pending: set[str] = set()
    for i, message in enumerate(messages):
        if message.role == "tool" or message.tool_calls or pending:
            pending = _check_exchange(message, i, pending, profile)
        if message.prefix and i + 1 < len(messages):
            raise Invalid("Only the last message may have a prefix.", path=("messages", i))
    _check_last(messages, pending)


def _check_exchange(message: Message, i: int, pending: set[str], profile: Profile) -> set[str]:
    """The calls that still wait for their results after `message`."""
    path = ("messages", i)
    if not profile.reads_calls:
        raise Unsupported("This model does not know tool calls.", path=path, value=message.role)
    if message.role == "tool":
        return _answer(message, path, pending)
    if pending:
        raise Invalid(
            "Not the same number of function calls and responses: a result must follow for each "
            f"call; missing: {', '.join(sorted(pending))[:200]}.",
            path=path,
        )
    calls = {call.id for call in message.tool_calls}
    if len(calls) < len(message.tool_calls):
        raise Invalid("Two tool calls have the same id.", path=(*path, "tool_calls"))
    return calls


def _answer(message: Message, path: tuple[str | int, ...], pending: set[str]) -> set[str]:
    if message.tool_call_id in pending:
        return pending - {message.tool_call_id}
    raise Invalid(
        "A tool message must answer a call of the assistant's message before it, once, with that "
        "call's id.",
        path=(*path, "tool_call_id"),
        value=message.tool_call_id,
    )


def _check_last(messages: Sequence[Message], pending: set[str]) -> None:
    last = messages[-1]
    path = ("messages", len(messages) - 1)
    if last.role == "assistant" and not last.prefix:
        raise Invalid(
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got "
            "assistant",
            path=path,
        )
    if last.role == "system" and any(message.role != "system" for message in messages):
        raise Invalid(
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got "
            "system",
            path=path,
        )
    if pending:
        raise Invalid(
            "Not the same number of function calls and responses: no result for "
            f"{', '.join(sorted(pending))[:200]}.",
            path=path,
        )


def _check_tools(request: ChatRequest, served: Served) -> None:
    profile = served.profile
    if request.tools and not profile.calls_tools:
        raise Unsupported(f"The model {served.model} cannot call tools.", path=("tools",))
    names: set[str] = set()
    for i, tool in enumerate(request.tools):
        path = ("tools", i, "function", "name")
        if not _FUNCTION_NAME.fullmatch(tool.name):
            raise Invalid(
                "A function's name has 1 to 64 characters of a-z, A-Z, 0-9, '_' and '-'.",
                path=path,
                value=tool.name,
            )
        if tool.name in names:
            raise Invalid(f"Two tools are named '{tool.name}'.", path=path, value=tool.name)
        names.add(tool.name)
    _check_choice(request, names)


def _check_choice(request: ChatRequest, names: set[str]) -> None:
    choice = request.tool_choice
    if choice is None or choice.mode != "required":
        return
    if not names:
        raise Invalid("'tool_choice' asks for a call but there are no 'tools'.",
                      path=("tool_choice",))  # fmt: skip
    if choice.name is not None and choice.name not in names:
        raise Invalid(
            f"There is no tool '{choice.name[:64]}' in 'tools'.",
            path=("tool_choice", "function", "name"),
            value=choice.name,
        )
