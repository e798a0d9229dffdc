"""`extra-parameters`: what becomes of fields that the Azure schema lacks."""

from typing import Any

import pytest

from cupola.kit.errors import ExtraField
from cupola.wire.azure import decode as azure
from cupola.wire.canonical import ChatRequest
from cupola.wire.openai import decode as openai

MESSAGES = [{"role": "user", "content": "Hi"}]


def decode(policy: str | None, **fields: Any) -> ChatRequest:
    return azure.decode({"messages": MESSAGES, **fields}, policy, azure.FIELDS, openai.FIELDS)


@pytest.mark.parametrize("policy", [None, "error"])
def test_unknown_fields_are_refused(policy: str | None):
    """In the sentence that users of the service know, names as Python shows a list."""
    with pytest.raises(ExtraField) as refused:
        decode(policy, n=1, logprobs=True)

    assert refused.value.public == (
        "Extra parameters ['n', 'logprobs'] are not allowed when extra-parameters is not set or "
        "set to be 'error'. Set extra-parameters to 'pass-through' to pass to the model."
    )


def test_unknown_fields_are_dropped():
    """As if they had not been there."""
    assert decode(None) == decode("drop", n=2, no_such=1)


def test_unknown_fields_are_passed_through():
    """What another dialect knows is read as there; the rest stays as it came."""
    request = decode("pass-through", max_completion_tokens=5, n=2, store=True, no_such={"a": 1})

    assert (5, 2) == (request.max_tokens, request.n)
    assert {"store": True, "no_such": {"a": 1}} == request.extras


@pytest.mark.parametrize("policy", ["ignore", "Pass-Through", "pass_through", ""])
def test_a_wrong_policy_is_refused(policy: str):
    """Case matters, and it is refused although nothing is unknown."""
    with pytest.raises(ExtraField) as refused:
        decode(policy)

    assert refused.value.public == (
        f"Unexpected EXTRA_PARAMETERS option {policy}, expected options are "
        "['error', 'drop', 'pass-through']"
    )


@pytest.mark.parametrize("policy", [None, *azure.POLICIES])
def test_known_fields_need_no_policy(policy: str | None):
    """Whatever the header says."""
    assert 0.5 == decode(policy, temperature=0.5, modalities=["text"]).temperature
