"""A wrong type is a fault, also where its value is as empty as nothing."""

from typing import Any

import pytest

from cupola.gateway.dialects import AZURE, OPEN, SCORE, TEXT_OPEN, Dialect
from cupola.kit.errors import Malformed

HI: dict[str, Any] = {"role": "user", "content": "Hi"}


def refused(dialect: Dialect, body: dict[str, Any]) -> tuple[str | int, ...]:
    """Where the fault lies."""
    with pytest.raises(Malformed) as caught:
        dialect.read(body, {})
    return caught.value.path


@pytest.mark.parametrize("value", [0, False, [], {}], ids=repr)
def test_a_tools_description_is_text(value: Any):
    """Or nothing at all."""
    tools = [{"type": "function", "function": {"name": "f", "description": value}}]

    path = refused(AZURE, {"messages": [HI], "tools": tools})
    assert ("tools", 0, "function", "description") == path


@pytest.mark.parametrize("value", [0, "", [], {}], ids=repr)
def test_a_prefix_is_true_or_false(value: Any):
    """As is the wish for usage."""
    answer = {"role": "assistant", "content": "a", "prefix": value}
    options = {"include_usage": value}

    assert ("messages", 1, "prefix") == refused(OPEN, {"messages": [HI, answer]})
    path = refused(OPEN, {"messages": [HI], "stream": True, "stream_options": options})
    assert ("stream_options", "include_usage") == path


@pytest.mark.parametrize("value", [0, False, "", []], ids=repr)
def test_scores_parameters_are_an_object(value: Any):
    """Or nothing at all."""
    body = {"input_data": {"input_string": [HI], "parameters": value}}

    assert ("input_data", "parameters") == refused(SCORE, body)


@pytest.mark.parametrize("prompt", [[], [[]], [[1], []]], ids=repr)
def test_a_prompt_of_tokens_has_one(prompt: Any):
    """An engine cannot continue nothing."""
    assert "prompt" == refused(TEXT_OPEN, {"prompt": prompt})[0]


@pytest.mark.parametrize(
    ("sent", "read"), [(2, (2,)), ([2, 3], (2, 3)), (None, ())], ids=["one", "several", "none"]
)
def test_score_reads_where_to_stop(sent: Any, read: tuple[int, ...]):
    """One token or several, by the older name."""
    parameters = {"eos_token_id": sent, "top_k": 5}
    request = SCORE.read({"input_data": {"input_string": [HI], "parameters": parameters}}, {})

    assert request.options is not None
    assert (read, 5) == (request.options.stop_token_ids, request.options.top_k)
