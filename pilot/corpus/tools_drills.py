"""Drills in choosing a tool: several definitions, then one question after the other.

No client sends such a conversation. A definition is long and the choice that it allows is a token
or two, so a conversation with one question spends nearly all of its tokens on being read; here
the same definitions are chosen from half a dozen times.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pilot.corpus import tools
from pilot.corpus.sums import conversations as sums
from pilot.corpus.tools_definitions import ROUTE_MODES, Tool, draw_mode, reference_tool, tool_of
from pilot.corpus.tools_questions import ask

QUESTIONS = 12
"""At most; what does not fit into the row is left out."""
PLAIN_SHARE = 0.1
SUMS = 8

Turn = tuple[Mapping[str, Any], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Drill:
    """Definitions, and questions with their replies; every reply is learned."""

    tools: tuple[Mapping[str, Any], ...]
    turns: tuple[Turn, ...]


def drills(rng: random.Random) -> Iterator[Drill]:
    """Endless drills of the training split: three quarters in tools, the others in sums."""
    supply = sums("train", random.Random(rng.random()))
    while True:
        if rng.random() < 0.75:
            yield _choices(rng)
        else:
            yield Drill((), tuple(_last_turn(next(supply).messages) for _ in range(SUMS)))


def _choices(rng: random.Random) -> Drill:
    offered = _distinct(rng.choice((2, 2, 2, 2, 3, 3, 4)), rng)
    knows_people = any(tool.mode == "population" for tool in offered)
    turns = []
    for _ in range(QUESTIONS):
        if rng.random() < PLAIN_SHARE and not knows_people:
            question, answer, _ = tools.plain_exchange("train", rng)
            reply = {"role": "assistant", "content": answer}
            turns.append(({"role": "user", "content": question}, reply))
            continue
        asked = ask(rng.choice(offered), "train", rng)
        turns.append(({"role": "user", "content": asked.text}, tools.call_message(asked, rng)))
    return Drill(tuple(tool.definition for tool in offered), tuple(turns))


def _distinct(count: int, rng: random.Random) -> list[Tool]:
    """Tools of which none can answer what is asked of another."""
    offered: list[Tool] = []
    while len(offered) < count:
        mode = rng.choice(ROUTE_MODES) if rng.random() < 0.75 else draw_mode(rng)
        near = tools.NEAR_MODES.get(mode, ())
        if any(mode == tool.mode or tool.mode in near for tool in offered):
            continue
        if any(mode in tools.NEAR_MODES.get(tool.mode, ()) for tool in offered):
            continue
        reference = mode == "flight" and rng.random() < 0.1
        offered.append(reference_tool() if reference else tool_of(mode, "train", rng))
    return offered


def _last_turn(messages: tuple[Mapping[str, Any], ...]) -> Turn:
    question, answer = messages[-2:]
    return question, answer
