import io
import json
from typing import Any

import pytest

from cupola.cli.chat import Chat
from cupola.cli.conversation import Conversation, Reply
from tests.cli.canned import Canned, call, canned, say

CITIES = {"origin_city": "Miami", "destination_city": "Seattle"}


@pytest.fixture
def type_lines(monkeypatch: pytest.MonkeyPatch):
    """Chats with a server, with these lines as standard input."""

    def chat(server: Canned, *lines: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        Chat(Conversation(server.target_uri, "key")).run("pilot")

    return chat


def test_reply_is_printed(type_lines, capsys: pytest.CaptureFixture[str]):
    """Through a pipe nothing but replies is printed."""
    with canned(say("Hello", " there.")) as server:
        type_lines(server, "Hi")

    assert "Hello there.\n" == capsys.readouterr().out


def test_conversation_goes_on(type_lines):
    """Each message is asked together with what was said before."""
    with canned(say("One."), say("Two.")) as server:
        type_lines(server, "First", "Second")

    assert [
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "One."},
        {"role": "user", "content": "Second"},
    ] == server.bodies[1]["messages"]


def test_system_message_stays_over_a_reset(type_lines):
    """/reset forgets what was said, not who the model is to be."""
    with canned(say("Aye."), say("Aye.")) as server:
        type_lines(server, "/system You are a pirate.", "First", "/reset", "Second")

    assert [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "Second"},
    ] == server.bodies[1]["messages"]


def test_json_is_switched_on_and_off(type_lines):
    """/json asks for JSON until it is given again."""
    with canned(say("{}"), say("Hi.")) as server:
        type_lines(server, "/json", "First", "/json", "Second")

    assert {"type": "json_object"} == server.bodies[0]["response_format"]
    assert "JSON" in server.bodies[0]["messages"][0]["content"]
    assert "system" not in [m["role"] for m in server.bodies[1]["messages"]]
    assert "response_format" not in server.bodies[1]


def test_tools_demo_shows_every_step(type_lines, capsys: pytest.CaptureFixture[str]):
    """A call is shown, done, and its result given back for the model to put into words."""
    with canned(call("get_flight_info", CITIES), say("Take a train.")) as server:
        type_lines(server, "/tools", "When is the next flight from Miami to Seattle?")
    printed = capsys.readouterr().out

    assert f"[the model calls get_flight_info({json.dumps(CITIES)})]" in printed
    assert "[the function answers" in printed
    assert printed.endswith("Take a train.\n")
    assistant, result = server.bodies[1]["messages"][1:]
    assert assistant["tool_calls"][0]["id"] == result["tool_call_id"] == "abcdefghi"
    assert "no flights available from Miami to Seattle" in json.loads(result["content"])["info"]


def test_model_that_calls_for_ever_is_stopped(type_lines):
    """A turn has a bounded number of rounds."""
    with canned(*[call("get_flight_info", CITIES)] * 9) as server:
        type_lines(server, "/tools", "When?")

    assert 4 == len(server.bodies)


def test_refused_message_is_forgotten(type_lines, capsys: pytest.CaptureFixture[str]):
    """What the endpoint refuses is told, and the chat goes on as if it had not been said."""
    with canned("The prompt is too long.", say("Fine.")) as server:
        type_lines(server, "Long", "Short")

    assert "The endpoint refused: The prompt is too long.\n" == capsys.readouterr().err
    assert [{"role": "user", "content": "Short"}] == server.bodies[1]["messages"]


def test_reply_that_breaks_off_is_reported(type_lines, capsys: pytest.CaptureFixture[str]):
    """An incomplete reply is not taken for a whole one."""
    with canned([{"choices": [{"delta": {"content": "Hel"}}]}]) as server:
        type_lines(server, "Hi")

    assert "The endpoint refused: The reply broke off.\n" == capsys.readouterr().err


def test_interrupt_ends_the_reply_only(
    type_lines, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """After Ctrl-C the chat goes on, and the model knows how far it came."""
    stream = Conversation.stream

    def interrupted(self: Conversation, reply: Reply, options: dict[str, Any]):
        for text in stream(self, reply, options):
            yield text
            if text == "Stop":
                raise KeyboardInterrupt

    monkeypatch.setattr(Conversation, "stream", interrupted)
    with canned(say("Stop", " never"), say("On.")) as server:
        type_lines(server, "First", "Second")

    assert "Stop (stopped)\nOn.\n" == capsys.readouterr().out
    assert {"role": "assistant", "content": "Stop"} == server.bodies[1]["messages"][1]


def test_unknown_command_is_not_sent(type_lines, capsys: pytest.CaptureFixture[str]):
    """A slip after the slash reaches nobody."""
    with canned() as server:
        type_lines(server, "/jsn")

    assert "There is no command /jsn. /help lists them.\n" == capsys.readouterr().out


def test_quit_ends_the_chat(type_lines):
    """Nothing after /quit is read."""
    with canned() as server:
        type_lines(server, "/quit", "Hello?")

    assert [] == server.bodies
