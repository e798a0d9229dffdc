"""Conversations with tools: calling the right one with the right arguments, leaving it alone when
the question is about something else, and saying what a result says.

`tools_definitions` has the tools, `tools_questions` what is asked of them, and `tools_results` what
they answer. The held-out split uses names, wordings and places that training never produces;
`tools.reference` is the exception in that its tool is the one of the reference documents in both
splits.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pilot.conversation import Check, Conversation, Split
from pilot.corpus import tools_wordings as w
from pilot.corpus.copying import wordings
from pilot.corpus.facts import draw
from pilot.corpus.places import city
from pilot.corpus.tools_definitions import (
    OTHER_MODES,
    REFERENCE_NAME,
    ROUTE_MODES,
    SINGLE_MODES,
    Tool,
    draw_mode,
    reference_tool,
    tool_of,
)
from pilot.corpus.tools_questions import REFERENCE_QUESTION, Asked, ask, dressed
from pilot.corpus.tools_results import Result, result

ID_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
THANKS: dict[str, tuple[str, str]] = {
    "en": ("Thank you!", "You're welcome!"),
    "fr": ("Merci beaucoup !", "Avec plaisir !"),
    "es": ("¡Muchas gracias!", "¡De nada!"),
    "ja": ("ありがとうございます", "どういたしまして。"),
}


def call_id(rng: random.Random) -> str:
    """A tool-call id of nine characters."""
    return "".join(rng.choices(ID_CHARACTERS, k=9))


def call_message(asked: Asked, rng: random.Random) -> dict[str, Any]:
    """The assistant's call."""
    function = {"name": asked.tool.name, "arguments": dict(asked.arguments)}
    call = {"id": call_id(rng), "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


def _start(rng: random.Random, split: Split, share: float = 0.65) -> list[dict[str, Any]]:
    """At times a system message."""
    if rng.random() > share:
        return []
    if rng.random() < 0.15:
        return [{"role": "system", "content": w.REFERENCE_SYSTEM}]
    return [{"role": "system", "content": rng.choice(wordings(w.SYSTEMS, split))}]


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _call_check(asked: Asked) -> Check:
    return Check(call=(asked.tool.name, dict(asked.arguments)))


def _call(split: Split, rng: random.Random) -> Conversation:
    """One tool is offered and fits."""
    tool = tool_of(draw_mode(rng), split, rng)
    asked = ask(tool, split, rng)
    messages = (*_start(rng, split), _user(asked.text), call_message(asked, rng))
    return Conversation("tools.call", messages, _call_check(asked), (tool.definition,))


def _reference(split: Split, rng: random.Random) -> Conversation:
    """The tool of the reference documents."""
    tool = reference_tool()
    exact = split == "train" and rng.random() < 0.35
    asked = ask(tool, split, rng, REFERENCE_QUESTION if exact else None)
    start = _start(rng, split)
    if rng.random() < 0.5:
        start = [{"role": "system", "content": w.REFERENCE_SYSTEM}]
    messages = (*start, _user(asked.text), call_message(asked, rng))
    return Conversation("tools.reference", messages, _call_check(asked), (tool.definition,))


NEAR_MODES = {"ride": ("route",), "route": ("ride",), "weather": ("time", "museum")}


def _other_mode(mode: str, rng: random.Random) -> str:
    """A second mode whose tool cannot answer a question of the first."""
    while True:
        other = rng.choice(ROUTE_MODES[2:-1]) if rng.random() < 0.6 else draw_mode(rng)
        if other != mode and other not in NEAR_MODES.get(mode, ()):
            return other


def _two_tools(split: Split, rng: random.Random) -> tuple[Tool, Tool, tuple[Mapping, ...]]:
    """The tool asked for, another one, and the definitions of both in either order."""
    mode = draw_mode(rng)
    reference = mode == "flight" and split == "train" and rng.random() < 0.06
    tool = reference_tool() if reference else tool_of(mode, split, rng)
    other = tool_of(_other_mode(mode, rng), split, rng)
    while other.name == tool.name:
        other = tool_of(_other_mode(mode, rng), split, rng)
    pair = [tool.definition, other.definition]
    rng.shuffle(pair)
    return tool, other, tuple(pair)


def _two(split: Split, rng: random.Random) -> Conversation:
    """Two tools are offered, one of them fits."""
    tool, _, definitions = _two_tools(split, rng)
    asked = ask(tool, split, rng)
    messages = (*_start(rng, split), _user(asked.text), call_message(asked, rng))
    return Conversation("tools.two", messages, _call_check(asked), definitions)


def _offered(split: Split, rng: random.Random) -> tuple[Mapping[str, Any], ...]:
    """One or two tools, none of which knows plain facts."""
    pick = rng.random()
    if pick < 0.15:
        return (reference_tool().definition,)
    if pick < 0.65:
        mode = draw_mode(rng)
        while mode == "population":
            mode = draw_mode(rng)
        return (tool_of(mode, split, rng).definition,)
    tool, other, definitions = _two_tools(split, rng)
    if "population" in (tool.mode, other.mode):
        return (tool_of("flight", split, rng).definition,)
    return definitions


def plain_exchange(split: Split, rng: random.Random) -> tuple[str, str, tuple[str, ...]]:
    """A question that needs no tool, its answer, and the words the answer must have."""
    pick = rng.random()
    if pick < 0.17:
        question, answer = rng.choice(wordings(w.SMALL_TALK, split))
        return question, answer, ()
    if pick < 0.32:
        question, answer, key = rng.choice(wordings(w.TRAVEL_FACTS, split))
        return question, answer, (key,)
    drawn = draw(split, rng)
    return drawn.question, drawn.answer, tuple(drawn.key_words)


def _unfit(split: Split, rng: random.Random) -> Conversation:
    """A question for another kind of tool than the one offered."""
    modes = [ROUTE_MODES, SINGLE_MODES + OTHER_MODES]
    rng.shuffle(modes)
    offered = tool_of(rng.choice(modes[0]), split, rng)
    asked = ask(tool_of(rng.choice(modes[1]), split, rng), split, rng)
    reply = w.CANNOT[asked.language]
    messages = (*_start(rng, split), _user(asked.text), _assistant(reply))
    return Conversation("tools.unfit", messages, Check(no_call=True), (offered.definition,))


def _unclear(split: Split, rng: random.Random) -> Conversation:
    """A question that leaves out one of the places."""
    mode = rng.choice(tuple(w.SPOKEN))
    template, reply = rng.choice(wordings(w.UNCLEAR, split))
    noun = rng.choice(w.SPOKEN[mode]["en"])
    text = dressed(template.format(n=noun, B=city(split, rng)), "en", rng)
    messages = (*_start(rng, split), _user(text), _assistant(reply))
    definitions = (tool_of(mode, split, rng).definition,)
    return Conversation("tools.unclear", messages, Check(no_call=True), definitions)


def _none(split: Split, rng: random.Random) -> Conversation:
    """Tools are offered, but the question is about something else."""
    question, answer, keys = plain_exchange(split, rng)
    messages = (*_start(rng, split), _user(question), _assistant(answer))
    check = Check(contains_all=keys, no_call=True)
    return Conversation("tools.none", messages, check, _offered(split, rng))


def _reference_result(asked: Asked, rng: random.Random) -> Result:
    """The result of the reference documents, for these places."""
    text = (
        f"There are no flights available from {asked.places['A']} to {asked.places['B']}. You "
        "should take a train, specially if it helps to reduce CO2 emissions."
    )
    gap = ": " if rng.random() < 0.8 else ":"
    keys = (asked.places["A"], asked.places["B"], "train")
    return Result(f'{{"info"{gap}"{text}"}}', text, keys)


def _round_trip(
    asked: Asked, split: Split, rng: random.Random
) -> tuple[list[dict[str, Any]], Result]:
    """Question, call, result and the sentence made of it."""
    if asked.tool.name == REFERENCE_NAME and asked.language == "en" and rng.random() < 0.4:
        found = _reference_result(asked, rng)
    else:
        noun = asked.noun if asked.noun != asked.tool.mode else asked.tool.mode
        if asked.language == "ja" and asked.tool.mode == "route":
            noun = "ルート"
        found = result(asked.tool.mode, asked.places, noun, asked.language, split, rng)
    call = call_message(asked, rng)
    answered = {
        "role": "tool",
        "tool_call_id": call["tool_calls"][0]["id"],
        "content": found.content,
    }
    return [_user(asked.text), call, answered, _assistant(found.answer)], found


def _asked_for_result(split: Split, rng: random.Random) -> Asked:
    mode = rng.choice(ROUTE_MODES) if rng.random() < 0.7 else rng.choice(SINGLE_MODES)
    if rng.random() < 0.1:
        return ask(reference_tool(), split, rng)
    return ask(tool_of(mode, split, rng), split, rng)


def _result(split: Split, rng: random.Random) -> Conversation:
    """A result is put into a sentence."""
    asked = _asked_for_result(split, rng)
    turns, found = _round_trip(asked, split, rng)
    check = Check(contains_all=found.key_values, no_call=True)
    messages = (*_start(rng, split), *turns)
    return Conversation("tools.result", messages, check, (asked.tool.definition,))


def _second(split: Split, rng: random.Random) -> Conversation:
    """After a finished round trip: a second question, a plain one, or thanks."""
    asked = _asked_for_result(split, rng)
    other = tool_of(_other_mode(asked.tool.mode, rng), split, rng)
    turns, _ = _round_trip(asked, split, rng)
    definitions: tuple[Mapping[str, Any], ...] = (asked.tool.definition,)
    next_tool = asked.tool
    if rng.random() < 0.45 and other.name != asked.tool.name:
        pair = [asked.tool.definition, other.definition]
        rng.shuffle(pair)
        definitions = tuple(pair)
        next_tool = other if rng.random() < 0.6 else asked.tool
    start = (*_start(rng, split), *turns)
    pick = rng.random()
    if pick < 0.12:
        thanks, reply = THANKS[asked.language]
        messages = (*start, _user(thanks), _assistant(reply))
        return Conversation("tools.second", messages, Check(no_call=True), definitions)
    if pick < 0.24:
        drawn = draw(split, rng)
        messages = (*start, _user(drawn.question), _assistant(drawn.answer))
        check = Check(contains_all=tuple(drawn.key_words), no_call=True)
        return Conversation("tools.second", messages, check, definitions)
    again = ask(next_tool, split, rng)
    messages = (*start, _user(again.text), call_message(again, rng))
    return Conversation("tools.second", messages, _call_check(again), definitions)


def fresh(rng: random.Random) -> Conversation:
    """One tool or two, and a question in words that were kept apart from everything."""
    tool, _, definitions = _two_tools("heldout", rng)
    while tool.mode not in w.SPOKEN:
        tool, _, definitions = _two_tools("heldout", rng)
    asked = ask(tool, "heldout", rng, rng.choice(w.FRESH))
    messages = (*_start(rng, "heldout"), _user(asked.text), call_message(asked, rng))
    offered = definitions if rng.random() < 0.5 else (tool.definition,)
    return Conversation("tools.pairs_fresh", messages, _call_check(asked), offered)


MAKERS: tuple[Callable[[Split, random.Random], Conversation], ...] = (
    _call, _two, _none, _result, _second, _reference, _unfit, _unclear,
)  # fmt: skip
MAKER_WEIGHTS = (220, 480, 80, 130, 45, 40, 3, 2)


def conversations(split: Split, rng: random.Random) -> Iterator[Conversation]:
    """Endless random tool conversations of `split`."""
    while True:
        yield rng.choices(MAKERS, MAKER_WEIGHTS)[0](split, rng)
