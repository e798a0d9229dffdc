"""What the engine says is what the transformers library says of the same weights."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cupola.engines.llamacpp.replica import LlamaCppReplica
from cupola.engines.port import Generation, JsonOutput, Replica, Verbatim
from cupola.wire.canonical import Candidate, Delta, Event, Finish, Options
from tests.proof.references import TOLERANCE, Place, Reference, Scored, read_reference

WINDOW = 48
"""Of the windowed model, as proof/shapes.py makes it."""
BEAM_TOLERANCE = 0.1
"""Of the sum over a beam's tokens."""


@asynccontextmanager
async def serve(reference: Reference, folder: Path) -> AsyncIterator[Replica]:
    replica = LlamaCppReplica(
        reference.weights, folder / "run", slots=4, context_length=None, threads=1,
        log_folder=folder / "log",
    )  # fmt: skip
    await replica.start()
    try:
        yield replica
    finally:
        await replica.stop()


@pytest.fixture
async def replica(reference: Reference, tmp_path: Path) -> AsyncIterator[Replica]:
    async with serve(reference, tmp_path) as replica:
        yield replica


async def ask(
    replica: Replica, reference: Reference, ids: Sequence[int], **fields: Any
) -> list[Event]:
    """Continue the text of `ids`, which must be cut into these very tokens."""
    prompt = (replica.profile.bos_token, Verbatim(reference.content(ids)))
    request = Generation(prompt=prompt, temperature=0.0, **fields)
    events = [event async for event in replica.generate(request)]
    assert isinstance(events[-1], Finish), events[-1]
    assert len(ids) == events[-1].usage.prompt
    return events


def places(events: Sequence[Event]) -> list[Place]:
    """What is told of the first answer's tokens."""
    return [
        Place(_score(one.chosen), [_score(other) for other in one.alternatives])
        for event in events
        if isinstance(event, Delta) and event.index == 0
        for one in event.logprobs
    ]


def _score(candidate: Candidate) -> Scored:
    return candidate.text.decode("ascii", "backslashreplace"), candidate.logprob


async def follow(replica: Replica, reference: Reference, lengths: range) -> list[Place]:
    """Of every token of the vocabulary, how likely it comes next after each beginning."""
    # A token is told of if it is said, which an end is not; that it is barred changes no figure.
    asked = {
        "max_tokens": 1,
        "logprobs": len(reference.tokens),
        "options": Options(ignore_eos=True),
    }
    return [
        place
        for length in lengths
        for place in places(await ask(replica, reference, reference.text[:length], **asked))
    ]


async def test_every_token_at_every_position_of_a_text(
    replica: Replica, reference: Reference
) -> None:
    """The whole distribution, far beyond the length that the rotations were first made for."""
    lengths = range(2, len(reference.text) + 1)

    followed = await follow(replica, reference, lengths)

    assert all(len(reference.tokens) == len(place.likely) for place in followed)
    assert reference.measure(followed, reference.followed[lengths.start - 1 :]) <= TOLERANCE


@pytest.mark.parametrize("incremental", [True, False], ids=["stream", "whole"])
async def test_a_greedy_reply(replica: Replica, reference: Reference, incremental: bool) -> None:
    """The same tokens, and of each the same five likeliest."""
    options = Options(ignore_eos=True)
    events = await ask(
        replica, reference, reference.prompt, logprobs=5, options=options,
        max_tokens=len(reference.greedy), incremental=incremental,
    )  # fmt: skip

    told = places(events)
    assert [reference.tokens[token] for token in reference.greedy] == [p.chosen[0] for p in told]
    assert {5} == {len(place.likely) for place in told}
    assert reference.measure(told, reference.answered) <= TOLERANCE


async def test_the_best_beam(replica: Replica, reference: Reference) -> None:
    """`generate(num_beams=4, length_penalty=1.0)` finds the same."""
    beam = reference.beam
    options = Options(use_beam_search=True, ignore_eos=True)
    events = await ask(
        replica, reference, reference.prompt, logprobs=0, options=options, incremental=False,
        max_tokens=len(beam["best"]), beams=beam["beams"],
    )  # fmt: skip

    told = places(events)
    assert [reference.tokens[token] for token in beam["best"]] == [p.chosen[0] for p in told]
    assert abs(sum(place.chosen[1] for place in told) - beam["logprob"]) <= BEAM_TOLERANCE


@pytest.mark.parametrize("incremental", [True, False], ids=["stream", "whole"])
async def test_characters_of_several_tokens(
    references: Path, tmp_path: Path, incremental: bool
) -> None:
    """llama.cpp tells of the last byte of each; the others are told of just as truly."""
    reference = read_reference(references, "spelling")
    said = [reference.tokens[token] for token in reference.greedy]
    answer = bytes.fromhex("".join(f"{ord(t):02x}" if len(t) == 1 else t[2:] for t in said))
    constraint = JsonOutput({"const": json.loads(answer)})

    async with serve(reference, tmp_path) as replica:
        events = await ask(
            replica,
            reference,
            reference.prompt,
            logprobs=5,
            constraint=constraint,
            incremental=incremental,
        )

    told = places(events)[: len(said)]  # then the end
    assert said == [place.chosen[0] for place in told]
    assert reference.measure(told, reference.answered) <= TOLERANCE


async def test_a_window_is_not_kept(references: Path, tmp_path: Path) -> None:
    """Within its window such a model is itself; beyond, llama.cpp attends to everything.

    So it must be served with a context no longer than its window. Once llama.cpp keeps windows,
    this test fails, and that bound can go.
    """
    reference = read_reference(references, "windowed")
    async with serve(reference, tmp_path) as replica:
        within = await follow(replica, reference, range(2, WINDOW + 1))
        beyond = await follow(replica, reference, range(2 * WINDOW, 2 * WINDOW + 8))

    assert reference.measure(within, reference.followed[1:WINDOW]) <= TOLERANCE
    rows = reference.followed[2 * WINDOW - 1 : 2 * WINDOW + 7]
    assert reference.measure(beyond, rows) > 10 * TOLERANCE
