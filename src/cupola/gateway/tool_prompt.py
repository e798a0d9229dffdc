"""Tools for models whose chat template knows none: told in words, called in JSON.

Mistral-7B before v0.3, Mixtral and Llama 2 and 3 were not trained on a form for calls. They are
told the functions and the form in the system message, the decoder holds them to it, and what was
called and answered before is shown as the conversation it was. The form is Llama 3.1's.
"""

import json
from collections.abc import Sequence

from cupola.wire.canonical import Message, Tool

_HOW = """\
You can call these functions. To call one, reply with nothing but one JSON object: \
{{"name": "FUNCTION", "parameters": {{...}}}}. Call a function only if it helps; otherwise reply \
in words, which must not begin with a brace.

{functions}"""


def explain_tools(messages: Sequence[Message], tools: Sequence[Tool]) -> tuple[Message, ...]:
    """The conversation, with the functions in its system message and calls and results as text."""
    shown = _join([_show(message) for message in messages])
    if not tools:
        return tuple(shown)
    words = _HOW.format(functions="\n".join([_describe(tool) for tool in tools]))
    if shown[0].role == "system":
        return (Message("system", f"{shown[0].content}\n\n{words}"), *shown[1:])
    return (Message("system", words), *shown)


def _join(messages: Sequence[Message]) -> list[Message]:
    """Results in a row as one turn: such templates insist on turns."""
    joined: list[Message] = []
    for message in messages:
        if joined and message.role == "user" == joined[-1].role:
            joined[-1] = Message("user", f"{joined[-1].content}\n\n{message.content}")
        else:
            joined.append(message)
    return joined


def uses_tools(messages: Sequence[Message]) -> bool:
    """Whether something was called before."""
    return any(message.tool_calls or message.role == "tool" for message in messages)


def _describe(tool: Tool) -> str:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return json.dumps({k: v for k, v in function.items() if v}, ensure_ascii=False)


def _show(message: Message) -> Message:
    if message.role == "tool":
        return Message("user", f"The function returned: {message.content}")
    if not message.tool_calls:
        return message
    calls = [
        f'{{"name": {json.dumps(call.name)}, "parameters": {call.arguments}}}'
        for call in message.tool_calls
    ]
    return Message(
        "assistant", "\n".join([*([message.content] if message.content else []), *calls])
    )
