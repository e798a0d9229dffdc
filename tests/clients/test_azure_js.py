"""The JavaScript steps of Microsoft's how-to pages, run by @azure-rest/ai-inference under Node.

`js/` has one script a step; each prints what it got as one line of JSON.
"""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.samples import TOOL_CALL_ID
from tests.patience import PATIENCE
from tests.running import Running

SCRIPTS = Path(__file__).parent / "js"
Script = Callable[..., dict[str, Any]]


@pytest.fixture
def script(node: str, running: Running) -> Script:
    """Runs one script and returns what it reported."""
    environment = {
        "PATH": str(Path(node).parent),
        "AZURE_INFERENCE_ENDPOINT": running.target_uri,
        "AZURE_INFERENCE_CREDENTIAL": running.key,
    }

    def run(name: str, *arguments: str) -> dict[str, Any]:
        command = [node, str(SCRIPTS / f"{name}.mjs"), *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PATIENCE
        )
        assert 0 == done.returncode, done.stderr
        reported: dict[str, Any] = json.loads(done.stdout)
        return reported

    return run


def test_model_info_names_the_model(script: Script) -> None:
    """The three fields that the page prints, by their names on the wire."""
    info = script("info")

    assert "200" == info["status"]
    assert {"model_name", "model_type", "model_provider_name"} == info["body"].keys()
    assert "Cupola-Pilot" == info["body"]["model_name"]


def test_a_chat_is_answered(script: Script) -> None:
    """The page's first request, with its check of `isUnexpected`."""
    reply = script("chat")

    assert reply["content"]
    assert "Cupola-Pilot" == reply["model"]
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} <= reply["usage"].keys()


def test_a_stream_is_read_event_by_event(script: Script) -> None:
    """`createSseStream` sees every chunk and the final `[DONE]`."""
    reply = script("stream", "stream")

    *chunks, done = reply["events"]
    first, last = json.loads(chunks[0]), json.loads(chunks[-1])
    assert reply["contentType"].startswith("text/event-stream")
    assert "[DONE]" == done
    assert {"role": "assistant", "content": ""} == first["choices"][0]["delta"]
    assert last["choices"][0]["finish_reason"] in ("stop", "length")
    assert last["usage"]["total_tokens"] > 0


def test_the_pages_forgotten_stream_gives_a_plain_reply(script: Script) -> None:
    """Without `stream: true` the reply is one JSON document: no event, and no error either."""
    reply = script("stream", "forgotten")

    assert [] == reply["events"]
    assert reply["contentType"].startswith("application/json")


def test_numbers_written_as_strings_are_read(script: Script) -> None:
    """The page sends `presence_penalty: "0.1"`; the client does not turn it into a number."""
    reply = script("parameters")

    assert "200" == reply["status"]
    assert reply["body"]["choices"][0]["finish_reason"] in ("stop", "length")


def test_json_mode_gives_json(script: Script) -> None:
    """Valid JSON, unless it was cut for length."""
    choice = script("json")["body"]["choices"][0]

    assert choice["message"]["content"].startswith("{")
    if choice["finish_reason"] != "length":
        assert isinstance(json.loads(choice["message"]["content"]), dict)


def test_the_tool_round_trip_runs(script: Script) -> None:
    """A required call, sent back as it came together with its result, is answered."""
    reply = script("tools", "required")

    message = reply["first"]["message"]
    assert ("tool_calls", "") == (reply["first"]["finish_reason"], message["content"])
    assert all(re.fullmatch(TOOL_CALL_ID, call["id"]) for call in message["tool_calls"])
    assert "200" == reply["second"]["status"]
    assert "assistant" == reply["second"]["choice"]["message"]["role"]


def test_the_tool_step_of_the_page_runs_with_auto(script: Script) -> None:
    """The page's own `auto`: called or not, the conversation goes on."""
    reply = script("tools", "auto")

    assert "200" == reply["second"]["status"]


@pytest.mark.parametrize(
    ("mistake", "status", "code"),
    [("wrongKey", "401", "Unauthorized"), ("noMessages", "422", "Invalid input")],
)
def test_a_refusal_has_a_code_and_a_message(
    script: Script, mistake: str, status: str, code: str
) -> None:
    """`isUnexpected` is true, `body.error` has what to print, and nothing invites a retry."""
    reply = script("errors", mistake)

    assert (status, True, None) == (reply["status"], reply["unexpected"], reply["retryAfter"])
    assert code == reply["body"]["error"]["code"]
    assert reply["body"]["error"]["message"]


def test_an_unknown_field_is_refused(script: Script) -> None:
    """The JavaScript client never sets `extra-parameters`, so the default holds: an error."""
    reply = script("errors", "unknownField")

    assert "400" == reply["status"]
    assert "Extra parameters ['n'] are not allowed" in reply["body"]["detail"]


@pytest.mark.parametrize("extra", [{"logprobs": True}, {"safe_mode": True}])
@pytest.mark.parametrize(
    ("header", "status"), [("extra-params", "400"), ("extra-parameters", "200")]
)
def test_the_extra_parameters_step_gets_a_clear_answer(
    script: Script, header: str, status: str, extra: dict[str, bool]
) -> None:
    """The page's `extra-params` is not a header of the API: refused. The right one is obeyed."""
    reply = script("extras", header, json.dumps(extra))

    assert status == reply["status"]
    assert reply["unexpected"] or reply["body"]["choices"]
