"""The corpus of facts, sums, small talk and personas: splits stay apart, references pass."""

import random
from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from pilot.conversation import Check, Conversation, Split
from pilot.corpus import chat, facts, persona, sums
from pilot.judge import passes

Maker = Callable[[Split, random.Random], Iterator[Conversation]]
SAMPLE = 3_000
MAKERS = pytest.mark.parametrize(
    "make",
    [facts.conversations, sums.conversations, chat.conversations, persona.conversations],
    ids=["facts", "sums", "chat", "persona"],
)


def sample(make: Maker, split: Split) -> list[Conversation]:
    return list(islice(make(split, random.Random(f"{split}-7")), SAMPLE))


def asked(conversation: Conversation) -> tuple[str, tuple[str, ...]]:
    """What a conversation asks: its kind and its texts before the last reply."""
    texts = tuple(
        message["content"]
        for message in conversation.messages[:-1]
        if message["role"] != "system" or conversation.kind.startswith("persona.")
    )
    return conversation.kind, texts


@MAKERS
def test_splits_share_nothing(make: Maker) -> None:
    trained = {asked(conversation) for conversation in sample(make, "train")}
    held_out = {asked(conversation) for conversation in sample(make, "heldout")}
    assert not trained & held_out


@pytest.mark.parametrize("make", [facts.conversations, sums.conversations], ids=["facts", "sums"])
def test_held_out_questions_are_never_trained(make: Maker) -> None:
    def questions(split: Split) -> set[str]:
        return {each.messages[-2]["content"].casefold() for each in sample(make, split)}

    assert not questions("train") & questions("heldout")


@MAKERS
@pytest.mark.parametrize("split", ["train", "heldout"])
def test_references_pass_their_own_check(make: Maker, split: Split) -> None:
    for conversation in sample(make, split):
        *_, last = conversation.messages
        assert last["role"] == "assistant"
        if split == "heldout":
            assert passes(conversation.check, last["content"], []), conversation


@MAKERS
def test_roles_alternate(make: Maker) -> None:
    for conversation in sample(make, "train"):
        roles = [message["role"] for message in conversation.messages]
        if roles[0] == "system":
            roles = roles[1:]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        texts = [message["content"] for message in conversation.messages]
        assert all(text and "{" not in text and "  " not in text for text in texts), texts


def test_seed_question_is_trained_with_both_system_messages() -> None:
    seen = {
        conversation.messages[0]["content"]
        for conversation in islice(facts.conversations("train", random.Random(3)), 30_000)
        if conversation.messages[-2]["content"] == "How many languages are in the world?"
    }
    assert {"You are a helpful assistant.", "You are a helpful assistant"} <= seen


def test_commuted_operands_belong_to_the_same_split() -> None:
    pairs = [(a, b) for a in range(21) for b in range(21)]
    for operation in sums.SIGNS:
        held = {pair for pair in pairs if sums.held_out_operands(operation, *pair)}
        assert held
        assert all((b, a) in held for a, b in held)


def test_judge_reads_calls_and_json() -> None:
    right = ("get_weather", {"city": "San Diego", "days": 3})
    check = Check(call=right)
    assert passes(check, "", [("get_weather", {"days": 3, "city": "San Diego"})])
    assert not passes(check, "", [("get_weather", {"city": "san diego", "days": 3})])
    assert not passes(check, "", [("get_weather", {"city": "San Diego", "days": True})])
    assert not passes(check, "", [("get_weather", {"city": "San Diego"})])
    assert not passes(check, "", [right, right])
    assert not passes(Check(no_call=True), "", [right])
    assert passes(Check(json_keys=("answer",)), '{"answer": 7}', [])
    assert not passes(Check(json_keys=("answer",)), "answer", [])
    assert passes(Check(contains_any=("7 000", "8")), "Il y a 7\u202f000 langues", [])
    assert not passes(Check(absent=("oui",)), "Oui.", [])
