"""The pages' raw requests, for any REST client: what they send by hand, and what they then read."""

import http.client
import json
import urllib.parse
from contextlib import closing
from typing import Any

import pytest

from tests.clients.samples import CHAT, FLIGHT_TOOL, IN_JSON, TRAVEL, get_flight_info
from tests.patience import PATIENCE
from tests.running import Running

PASSING = {"extra-parameters": "pass-through"}
KNIVES = [
    {"role": "system", "content": "You are an assistant that helps cooks."},
    {"role": "user", "content": "Cutting tomatoes into cubes is good practice with a knife."},
]
TRANSLATE = [
    {"role": "system", "content": "You translate from English to Italian."},
    {"role": "user", "content": "Translate this sentence: I love to write programs."},
]


def _post(
    running: Running, body: Any, path: str = "/chat/completions", **headers: str
) -> tuple[int, str]:
    """Status and body; `body` may be text that is not JSON."""
    address = urllib.parse.urlsplit(running.target_uri)
    sent = body if isinstance(body, str) else json.dumps(body)
    fixed = {"Authorization": f"Bearer {running.key}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection(address.netloc, timeout=PATIENCE)) as line:
        line.request("POST", address.path + path, sent, fixed | headers)
        response = line.getresponse()
        return response.status, response.read().decode()


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        pytest.param({}, {}, id="chat"),
        pytest.param(
            {
                "presence_penalty": 0.1,
                "frequency_penalty": 0.8,
                "max_tokens": 2048,
                "stop": ["<|endoftext|>"],
                "temperature": 0,
                "top_p": 1,
                "response_format": {"type": "text"},
            },
            {},
            id="parameters",
        ),
        pytest.param(
            {"messages": IN_JSON, "response_format": {"type": "json_object"}}, {}, id="json"
        ),
        pytest.param({"logprobs": True}, PASSING, id="logprobs"),
        pytest.param({"safemode": True}, PASSING, id="safemode"),
        pytest.param({"messages": KNIVES}, {}, id="content-safety"),
        pytest.param(
            {"messages": TRAVEL, "tools": [FLIGHT_TOOL], "tool_choice": "auto"}, {}, id="tools"
        ),
    ],
)
def test_a_step_of_the_page_is_answered(
    running: Running, fields: dict[str, Any], headers: dict[str, str]
) -> None:
    """200, and every key that the page shows."""
    status, text = _post(running, {"messages": CHAT, **fields}, **headers)

    reply = json.loads(text)
    assert 200 == status
    assert "chat.completion" == reply["object"]
    assert {"index", "message", "finish_reason", "logprobs"} <= reply["choices"][0].keys()
    assert {"role", "content", "tool_calls"} <= reply["choices"][0]["message"].keys()
    assert {"prompt_tokens", "total_tokens", "completion_tokens"} <= reply["usage"].keys()


def test_the_tool_result_goes_back_as_on_the_page(running: Running) -> None:
    """With `call_id: null` inside the function, as the page's reply had it."""
    function = {
        "name": "get_flight_info",
        "arguments": '{"origin_city": "Miami", "destination_city": "Seattle"}',
        "call_id": None,
    }
    call = {"id": "abc0DeFgH", "type": "function", "function": function}
    result = {
        "role": "tool",
        "content": json.dumps(get_flight_info("Miami", "Seattle")),
        "tool_call_id": "abc0DeFgH",
    }
    asked = {"role": "assistant", "content": "", "tool_calls": [call]}

    status, text = _post(
        running,
        {"messages": [*TRAVEL, asked, result], "tool_choice": "auto", "tools": [FLIGHT_TOOL]},
    )

    assert 200 == status, text


def test_the_native_route_takes_the_sample_of_the_deployment_page(running: Running) -> None:
    """`/v1/chat/completions` with a temperature and a length, and no model named."""
    body = {"messages": TRANSLATE, "temperature": 0.8, "max_tokens": 512}

    status, text = _post(running, body, "/v1/chat/completions")

    assert 200 == status, text
    assert json.loads(text)["choices"][0]["message"]["content"]


def test_the_trailing_comma_of_that_page_is_explained(running: Running) -> None:
    """The sample as printed is not JSON: 400 that says where, not a riddle."""
    body = json.dumps({"messages": TRANSLATE, "max_tokens": 512})[:-1] + ",}"

    status, text = _post(running, body, "/v1/chat/completions")

    assert status in (400, 422)
    assert "JSON" in text
