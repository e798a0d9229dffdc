"""What azure-ai-inference makes of our refusals, and of fields that its API does not have."""

from collections.abc import Callable
from typing import Any

import pytest
from azure.ai.inference import ChatCompletionsClient
from azure.ai.inference.models import UserMessage
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)

from tests.clients.samples import CHAT
from tests.running import Running

WRONG_KEY = "0123456789abcdef0123456789abcdef"
HELLO: list[Any] = [UserMessage(content="Hello")]


def test_a_wrong_key_is_an_authentication_error(running: Running) -> None:
    """The client's own class for it, with a code, a message and no invitation to retry."""
    with ChatCompletionsClient(running.target_uri, AzureKeyCredential(WRONG_KEY)) as client:
        error = _refused(lambda: client.complete(messages=HELLO), ClientAuthenticationError)

    assert "Unauthorized" == error.error.code
    assert "key" in error.error.message
    assert WRONG_KEY not in str(error)
    assert "Retry-After" not in error.response.headers


def test_a_wrong_key_learns_nothing_of_the_model(running: Running) -> None:
    """`/info` asks for the key like every other route."""
    with ChatCompletionsClient(running.target_uri, AzureKeyCredential(WRONG_KEY)) as client:
        assert _refused(client.get_model_info, ClientAuthenticationError)


def test_an_unknown_endpoint_is_not_found(running: Running) -> None:
    """Also with a good key, and the message says what was not found."""
    elsewhere = running.target_uri.rsplit("/", 1)[0] + "/no-such-endpoint"

    with ChatCompletionsClient(elsewhere, AzureKeyCredential(running.key)) as client:
        error = _refused(lambda: client.complete(messages=HELLO), ResourceNotFoundError)

    assert error.error.code
    assert "no-such-endpoint" in error.error.message


@pytest.mark.parametrize(
    ("body", "word"),
    [
        pytest.param({"messages": []}, "messages", id="no-messages"),
        pytest.param({"messages": CHAT, "temperature": "hot"}, "temperature", id="wrong-type"),
        pytest.param({"messages": CHAT, "top_p": 1.5}, "top_p", id="out-of-range"),
        pytest.param({"messages": [{"role": "wizard", "content": "x"}]}, "role", id="unknown-role"),
    ],
)
def test_an_invalid_body_is_explained(azure: Any, body: dict[str, object], word: str) -> None:
    """422 with a code, and the field that is wrong is named."""
    error = _refused(lambda: azure.complete(body), HttpResponseError)

    assert 422 == error.status_code
    assert error.error.code
    assert error.error.message
    assert word in error.response.text()


def test_a_prompt_beyond_the_context_is_refused(azure: Any) -> None:
    """400 that says how long it is and how long it may be; nothing is cut off silently."""
    error = _refused(
        lambda: azure.complete(messages=[UserMessage(content="seven thousand " * 20_000)]),
        HttpResponseError,
    )

    assert 400 == error.status_code
    assert "tokens" in error.error.message


def test_an_extra_field_without_the_header_is_refused(azure: Any) -> None:
    """A raw body gets no header from the client, so the API's default holds: an error."""
    error = _refused(
        lambda: azure.complete({"messages": CHAT, "n": 1, "logprobs": True}), HttpResponseError
    )

    assert 400 == error.status_code
    assert error.response.json() == {
        "detail": (
            "Extra parameters ['n', 'logprobs'] are not allowed when extra-parameters is not set"
            " or set to be 'error'. Set extra-parameters to 'pass-through' to pass to the model."
        )
    }


def test_an_extra_field_can_be_dropped(azure: Any) -> None:
    """`extra-parameters: drop` serves the request as if the field were not there."""
    body = {"messages": CHAT, "max_tokens": 2, "no_such_parameter": 1}

    response = azure.complete(body, headers={"extra-parameters": "drop"})

    assert response.choices


def test_a_bad_value_of_the_header_is_refused(azure: Any) -> None:
    """The header's three values are named, also when no field is extra."""
    error = _refused(
        lambda: azure.complete(messages=HELLO, headers={"extra-parameters": "ignore"}),
        HttpResponseError,
    )

    assert 400 == error.status_code
    assert error.response.json() == {
        "detail": (
            "Unexpected EXTRA_PARAMETERS option ignore, expected options are"
            " ['error', 'drop', 'pass-through']"
        )
    }


@pytest.mark.parametrize(
    "extras",
    [
        pytest.param({"logprobs": False, "ignore_eos": False}, id="asks-for-nothing"),
        pytest.param({"safe_mode": False, "n": 1}, id="the-default-anyway"),
        pytest.param({"logprobs": True}, id="log-probabilities-of-the-page"),
        pytest.param({"logprobs": 2}, id="log-probabilities-as-a-number"),
        pytest.param({"safe_mode": True}, id="safe-mode-of-the-page"),
        pytest.param({"ignore_eos": True}, id="ignore-eos"),
        pytest.param({"logit_bias": {"5": -100}}, id="logit-bias"),
        pytest.param({"use_beam_search": True, "best_of": 2}, id="beam-search"),
        pytest.param({"stop_token_ids": [2], "skip_special_tokens": True}, id="stop-tokens"),
    ],
)
def test_model_extras_reach_the_model(azure: Any, extras: dict[str, object]) -> None:
    """The client sets `extra-parameters: pass-through` by itself."""
    assert azure.complete(messages=HELLO, max_tokens=2, model_extras=extras).choices


def test_an_extra_that_the_model_lacks_is_named(azure: Any) -> None:
    """Handed through, the model refuses it: 422 in the documented flat form, with its name."""
    error = _refused(
        lambda: azure.complete(messages=HELLO, model_extras={"no_such_parameter": True}),
        HttpResponseError,
    )

    told = error.response.json()
    assert 422 == error.status_code
    assert "parameter_not_supported" == error.error.code
    assert ["body", "no_such_parameter"] == told["detail"]["loc"]


def _refused(call: Callable[[], object], kind: type[HttpResponseError]) -> Any:
    """What the client raised. Untyped: its attributes may all be None, but not where we look."""
    with pytest.raises(kind) as raised:
        call()
    return raised.value
