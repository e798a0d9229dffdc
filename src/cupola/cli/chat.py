"""`cupola chat`: a terminal chat that streams.

Ctrl-C ends the reply that is being written, not the chat; Ctrl-D or /quit ends the chat. With a
pipe as input each line is a message, and only replies are printed.
"""

import sys
from typing import TYPE_CHECKING, Any

import typer

from cupola.cli.options import HomeOption

if TYPE_CHECKING:
    from cupola.cli.conversation import Conversation, Reply

HELP = """\
/system TEXT   a system message; without TEXT there is none
/json          replies as JSON, on or off
/tools         lend the model a function, get_flight_info, on or off
/reset         forget what was said
/help          this text
/quit          end the chat (also Ctrl-D); Ctrl-C ends a reply only"""

_JSON_REQUEST = 'Answer in JSON, using the following format: { "answer": "response" }.'
"""The option guarantees JSON, but a model that is not asked for it writes it badly."""
_MOST_TOKENS = 512
"""Of a reply: a small model may not find the end of one."""
_MOST_CALLS = 4
"""Rounds of calls in one turn, so that a model that calls for ever is stopped."""


def chat(endpoint: str = typer.Argument("pilot"), home: HomeOption = None) -> None:
    """Chat with an endpoint of the Cupola that runs on this machine."""
    from cupola.cli.conversation import Conversation
    from cupola.cli.installation import Installation
    from cupola.cli.welcome import spell_command
    from cupola.kit.errors import Unavailable

    installation = Installation.open(home)
    if installation.server is None:
        start = spell_command(installation.settings.home, "up")
        raise Unavailable(f"No Cupola is running. Start it in another terminal: {start}")
    target, _, keys = installation.get_endpoint(endpoint)
    conversation = Conversation(target.target_uri, keys.primary, installation.server.certificate)
    Chat(conversation).run(endpoint)


class Chat:
    """The loop of reading a line and answering it."""

    def __init__(self, conversation: "Conversation") -> None:
        self._conversation = conversation
        self._tools = False
        self._interactive = sys.stdin.isatty()

    def run(self, endpoint: str) -> None:
        if self._interactive:
            import readline  # noqa: F401  gives input() a history and a line editor

            print(f"Chatting with {endpoint}. /help lists the commands, /quit ends.")
        while (line := self._read_line()) is not None:
            if line.startswith("/"):
                if not self._command(line):
                    return
            elif line.strip():
                self._turn(line)

    def _read_line(self) -> str | None:
        while True:
            try:
                return input("\n> " if self._interactive else "")
            except KeyboardInterrupt:
                print("\n/quit ends the chat.")
            except EOFError:
                return None

    def _command(self, line: str) -> bool:
        """Do what a line with a slash says; whether the chat goes on."""
        name, _, text = line.partition(" ")
        match name:
            case "/quit" | "/exit":
                return False
            case "/system":
                self._conversation.system = text.strip()
                print("System message set." if text.strip() else "No system message.")
            case "/json":
                talk = self._conversation
                talk.request = "" if talk.request else _JSON_REQUEST
                print(f"Replies as JSON: {_on(bool(talk.request))}.")
            case "/tools":
                self._tools = not self._tools
                print(f"The function get_flight_info is lent: {_on(self._tools)}.")
                if self._tools:
                    print("Try: When is the next flight from Miami to Seattle?")
            case "/reset":
                self._conversation.messages.clear()
                print("Forgotten.")
            case "/help":
                print(HELP)
            case _:
                print(f"There is no command {name}. /help lists them.")
        return True

    def _turn(self, line: str) -> None:
        """One message and its reply; a turn that fails leaves the conversation as it was."""
        from cupola.cli.conversation import TurnFailed

        messages = self._conversation.messages
        before = len(messages)
        messages.append({"role": "user", "content": line})
        try:
            self._answer()
        except TurnFailed as error:
            del messages[before:]
            print(f"The endpoint refused: {error.public}", file=sys.stderr)
            if self._interactive and before:
                print("/reset starts afresh.", file=sys.stderr)

    def _answer(self) -> None:
        for _ in range(_MOST_CALLS):
            reply = self._stream()
            self._conversation.messages.append(reply.as_message())
            if not reply.calls:
                return
            for call in reply.calls:
                self._conversation.messages.append(_execute(call))

    def _stream(self) -> "Reply":
        """Print a reply as it comes. Ctrl-C ends it, and what was said until then stays."""
        from cupola.cli.conversation import Reply

        reply = Reply()
        stream = self._conversation.stream(reply, self._options())
        try:
            for text in stream:
                print(text, end="", flush=True)
        except KeyboardInterrupt:
            reply.calls.clear()
            print(" (stopped)", end="")
        finally:
            stream.close()
        if reply.text or not reply.calls:
            print(flush=True)
        return reply

    def _options(self) -> dict[str, Any]:
        from cupola.cli.flights import TOOL

        json = {"response_format": {"type": "json_object"}} if self._conversation.request else {}
        tools = {"tools": [TOOL]} if self._tools else {}
        return {"max_tokens": _MOST_TOKENS} | json | tools


def _execute(call: dict[str, Any]) -> dict[str, Any]:
    """Do what the model called for, showing each step; the message that tells it the result."""
    from cupola.cli.flights import get_flight_info

    function = call["function"]
    print(f"[the model calls {function['name']}({function['arguments']})]")
    result = get_flight_info(function["arguments"])
    print(f"[the function answers {result}]", flush=True)
    return {"role": "tool", "tool_call_id": call["id"], "content": result}


def _on(flag: bool) -> str:
    return "on" if flag else "off"
