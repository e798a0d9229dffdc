"""Cupola in front of Cupola: the whole way, twice, with the included model at its end."""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import supply_model
from tests.patience import PATIENCE
from tests.running import Running, command, cupola, environment, run_json

DIALECTS = ("azure", "mistral", "openai")
TOOL = {
    "type": "function",
    "function": {
        "name": "get_flight_info",
        "description": "Returns information about the next flight between two cities.",
        "parameters": {
            "type": "object",
            "properties": {
                "origin_city": {"type": "string"},
                "destination_city": {"type": "string"},
            },
            "required": ["origin_city", "destination_city"],
        },
    },
}
LANGUAGES = [{"role": "user", "content": "How many languages are in the world?"}]
FLIGHT = [{"role": "user", "content": "What is the next flight from Miami to Seattle?"}]


@dataclass(frozen=True)
class Endpoint:
    """Something to call."""

    uri: str
    key: str

    def post(self, path: str = "v1/chat/completions", **body: Any) -> Any:
        """The reply; of a stream its events."""
        request = urllib.request.Request(
            f"{self.uri}/{path}",
            json.dumps({"temperature": 0, **body}).encode(),
            {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            text = reply.read().decode()
        if not body.get("stream"):
            return json.loads(text)
        *events, done = text.removesuffix("\n\n").split("\n\n")
        assert "data: [DONE]" == done
        return [json.loads(event.removeprefix("data: ")) for event in events]


def assert_alike(expected: Any, actual: Any) -> None:
    """Equal, but for the last digits of numbers: whether a prompt is in a cache changes those."""
    if isinstance(expected, dict):
        assert list(expected) == list(actual)
        expected, actual = list(expected.values()), list(actual.values())
    if isinstance(expected, list):
        for one, other in zip(expected, actual, strict=True):
            assert_alike(one, other)
    else:
        assert actual == (
            pytest.approx(expected, abs=0.05) if isinstance(expected, float) else expected
        )


def features(dialect: str) -> list[str]:
    text = [] if dialect == "mistral" else ["text"]  # Mistral's dialect has no route for it
    return ["tools", "json", "json_schema", "logprobs", "logit_bias", *text]


def configure(home: Path, running: Running) -> None:
    """Upstreams of the other server, one a dialect, with its key in a closed file."""
    key = home / "far.key"
    key.touch(0o600)
    key.write_text(running.key)
    tables = [
        f'[far-{dialect}]\nmodel = "Far-Pilot"\ndialect = "{dialect}"\nurl = "{running.target_uri}"'
        f'\nupstream_model = "Cupola-Pilot"\nkey_file = "far.key"\npublisher = "Cupola"'
        f"\nfeatures = {features(dialect)}\n"
        for dialect in DIALECTS
    ]
    (home / "upstreams.toml").write_text("\n".join(tables))


@pytest.fixture(scope="module")
def front(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a server in front of `running`."""
    home = tmp_path_factory.mktemp("front") / "home"
    home.mkdir(mode=0o700)
    supply_model(home)
    configure(home, running)
    with cupola(home) as started:
        started.wait_ready()
        yield home


@pytest.fixture(scope="module", params=DIALECTS)
def far(request: pytest.FixtureRequest, front: Path) -> Endpoint:
    shown = run_json("endpoints", "show", f"far-{request.param}", home=front)
    return Endpoint(shown["target_uri"], shown["primary_key"])


@pytest.fixture(scope="module")
def near(running: Running) -> Endpoint:
    return Endpoint(running.target_uri, running.key)


def test_chat(far: Endpoint, near: Endpoint) -> None:
    """The same answer and the same usage, under the name that the operator gave."""
    there, here = near.post(messages=LANGUAGES), far.post(messages=LANGUAGES)

    assert there["choices"] == here["choices"]
    assert there["usage"] == here["usage"]
    assert "Far-Pilot" == here["model"]


def test_stream(far: Endpoint, near: Endpoint) -> None:
    """The same text in pieces, and usage at the end."""
    whole = near.post(messages=LANGUAGES)
    events = far.post(messages=LANGUAGES, stream=True)

    text = "".join(e["choices"][0]["delta"].get("content", "") for e in events)
    assert whole["choices"][0]["message"]["content"] == text
    assert whole["usage"] == events[-1]["usage"]
    assert len(events) > 3


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_tools(far: Endpoint, stream: bool) -> None:
    """A call that must be made is made, and its result can be told."""
    asked: dict[str, Any] = {"tools": [TOOL], "tool_choice": "required"}
    reply = far.post(messages=FLIGHT, stream=stream, **asked)
    if stream:
        [call] = [c for e in reply for c in e["choices"][0]["delta"].get("tool_calls", [])]
        reason = reply[-1]["choices"][0]["finish_reason"]
    else:
        [call] = reply["choices"][0]["message"]["tool_calls"]
        reason = reply["choices"][0]["finish_reason"]

    assert ("tool_calls", "get_flight_info") == (reason, call["function"]["name"])
    assert {"origin_city", "destination_city"} == json.loads(call["function"]["arguments"]).keys()
    said = {"role": "assistant", "content": "", "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": call["id"], "content": '{"flight": "AB 12"}'}
    told = far.post(messages=[*FLIGHT, said, result], tools=[TOOL])
    assert told["choices"][0]["finish_reason"] in ("stop", "length", "tool_calls")


def test_json(far: Endpoint) -> None:
    """A schema holds through both."""
    schema = {
        "type": "object",
        "properties": {"count": {"type": "integer", "minimum": 3, "maximum": 9}},
        "required": ["count"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "count", "schema": schema}}
    reply = far.post(messages=LANGUAGES, response_format=form)

    assert json.loads(reply["choices"][0]["message"]["content"])["count"] in range(3, 10)


def test_log_probabilities_and_biases(far: Endpoint, near: Endpoint) -> None:
    """As the model behind both has them; on the Azure dialect they need leave, which is asked."""
    asked: dict[str, Any] = {
        "messages": LANGUAGES,
        "logprobs": True,
        "top_logprobs": 2,
        "max_tokens": 4,
        "logit_bias": {"300": -100},
    }

    assert_alike(near.post(**asked)["choices"], far.post(**asked)["choices"])


def test_text_completions(far: Endpoint, near: Endpoint) -> None:
    """Where the dialect has a route for them; where it has none, callers get the usual 404."""
    path = "v1/completions"
    asked: dict[str, Any] = {"prompt": "There are about", "max_tokens": 4, "logprobs": 2}
    if far.uri.endswith("mistral"):
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            far.post(path, **asked)
        caught.value.close()
    else:
        assert_alike(near.post(path, **asked)["choices"], far.post(path, **asked)["choices"])


def test_commands(front: Path, running: Running) -> None:
    """They are listed beside the included model's endpoint, and the doctor has seen them."""
    listed = run_json("endpoints", "list", home=front)
    doctor = subprocess.run(
        command("doctor", front), capture_output=True, text=True, env=environment()
    )

    assert ["far-azure", "far-mistral", "far-openai", "pilot"] == [each["name"] for each in listed]
    assert {"upstream"} == {each["kind"] for each in listed[:3]}
    assert {"ready"} == {each["state"] for each in listed}
    assert "upstream      far-azure: takes connections" in doctor.stdout
    assert running.key not in doctor.stdout


def test_the_log_holds_no_key(front: Path, running: Running, far: Endpoint) -> None:
    """Neither ours nor theirs."""
    far.post(messages=LANGUAGES)
    log = (front / "logs" / "cupola.log").read_text()

    assert running.key not in log
    assert far.key not in log


def test_a_key_that_is_open_to_others_stops_one_endpoint_only(home: Path, running: Running) -> None:
    """The rest is served; the log and the doctor have the mend."""
    home.mkdir(mode=0o700, exist_ok=True)
    configure(home, running)
    (home / "far.key").chmod(0o644)
    with cupola(home) as started:
        ready = started.wait_ready()
        assert Endpoint(ready.target_uri, ready.key).post(messages=LANGUAGES)["choices"]
        doctor = subprocess.run(
            command("doctor", home), capture_output=True, text=True, env=environment()
        )

    assert 1 == doctor.returncode
    assert f"chmod 600 '{home}/far.key'" in doctor.stdout
    assert "chmod 600" in (home / "logs" / "cupola.log").read_text()


def test_a_broken_file_is_told_at_the_start(home: Path) -> None:
    """With its name, its table and its fault."""
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "upstreams.toml").write_text("[far]\nmodel = 1")
    line = [*command("up", home), "--port", "0"]
    started = subprocess.run(line, capture_output=True, text=True, env=environment())

    assert 1 == started.returncode
    assert f"{home}/upstreams.toml, table [far]: " in started.stderr
