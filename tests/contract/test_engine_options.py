"""What an engine that claims a capability must do with it. It runs for every engine that does."""

import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cupola.engines.llamacpp.replica import LlamaCppReplica
from cupola.engines.port import Generation, JsonOutput, Replica, ToolOutput, Verbatim
from cupola.kit.errors import Invalid
from cupola.wire.canonical import Delta, Event, Failed, Finish, Options, TokenLogprob, Tool
from tests.models import build_tiny_model

CONTEXT = 128
PROMPT = ("<s>[INST] ", Verbatim("one two three four"), "[/INST]")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("weights") / "tiny.gguf")


@pytest.fixture
async def replica(weights: Path, tmp_path: Path) -> AsyncIterator[Replica]:
    run, log = tmp_path / "run", tmp_path / "log"
    replica = LlamaCppReplica(
        weights, run, slots=4, context_length=CONTEXT, threads=1, log_folder=log
    )
    await replica.start()
    yield replica
    await replica.stop()


async def collect(replica: Replica, **fields: Any) -> list[Event]:
    request = Generation(**{"prompt": PROMPT, "max_tokens": 12, "temperature": 0.0, **fields})
    return [event async for event in replica.generate(request)]


def text(events: list[Event], index: int = 0) -> str:
    return "".join(e.text for e in events if isinstance(e, Delta) and e.index == index)


def logprobs(events: list[Event], index: int = 0) -> list[TokenLogprob]:
    return [one for e in events if isinstance(e, Delta) and e.index == index for one in e.logprobs]


def ending(events: list[Event]) -> Finish:
    last = events[-1]
    assert isinstance(last, Finish)
    return last


@pytest.mark.parametrize("incremental", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("temperature", [0.0, 1.0], ids=["greedy", "drawn"])
async def test_logprobs_tell_of_every_token(
    replica: Replica, incremental: bool, temperature: float
) -> None:
    """Where each token is text of its own, each is told of, in order, once."""
    vocabulary = replica._vocabulary  # type: ignore[attr-defined]
    parts = [token for token, said in enumerate(vocabulary.tokens) if not said.isascii()]
    options = Options(logit_bias=tuple((token, -100.0) for token in [*parts, *vocabulary.ends]))
    fields = {"incremental": incremental, "temperature": temperature, "seed": 3}
    events = await collect(replica, logprobs=3, options=options, **fields)

    told = logprobs(events)
    said = [vocabulary.tokens[one.chosen.token] for one in told]
    assert 12 == len(told) == ending(events).usage.completion
    assert [said[0].removeprefix(b" "), *said[1:]] == [one.chosen.text for one in told]
    assert text(events) == b"".join(one.chosen.text for one in told).decode()


@pytest.mark.parametrize("incremental", [True, False], ids=["stream", "whole"])
async def test_a_greedy_token_is_the_likeliest(replica: Replica, incremental: bool) -> None:
    """The chosen tokens together are the text; one stands for several only in half a character."""
    events = await collect(replica, logprobs=3, incremental=incremental)

    told = logprobs(events)
    vocabulary = replica._vocabulary.tokens  # type: ignore[attr-defined]
    covering = [one for one in told if one.chosen.text not in vocabulary]
    assert all("\ufffd" in one.chosen.text.decode(errors="replace") for one in covering)
    assert text(events) == b"".join(one.chosen.text for one in told).decode(errors="replace")
    for one in told:
        assert 3 == len(one.alternatives)
        assert one.chosen.logprob == one.alternatives[0].logprob
        assert one.chosen.logprob <= 0
        assert sorted(one.alternatives, key=lambda c: -c.logprob) == list(one.alternatives)


async def test_the_end_is_not_told_of(replica: Replica) -> None:
    """The token that ends a reply is no part of its text."""
    ends = replica._vocabulary.ends  # type: ignore[attr-defined]
    options = Options(logit_bias=((300, 7.0), *((token, 7.0) for token in ends)))
    ended = 0
    for seed in range(8):  # each token is an end as likely as not
        events = await collect(replica, logprobs=0, temperature=1.0, seed=seed, options=options)
        told = b"".join(one.chosen.text for one in logprobs(events))
        assert text(events) == told.decode(errors="replace")
        ended += ending(events).reason == "stop"
    assert ended


async def test_logprobs_without_alternatives(replica: Replica) -> None:
    """Only what was chosen."""
    told = logprobs(await collect(replica, logprobs=0))

    assert told
    assert all(not one.alternatives for one in told)


async def test_a_bias_bans_and_forces(replica: Replica) -> None:
    """-100 keeps a token out, +100 lets no other in."""
    first = logprobs(await collect(replica, logprobs=2, max_tokens=1))[0]
    vocabulary = replica._vocabulary.tokens  # type: ignore[attr-defined]
    chosen = vocabulary.index(first.chosen.text) if first.chosen.text in vocabulary else 10

    banned = await collect(replica, logprobs=0, options=Options(logit_bias=((chosen, -100.0),)))
    forced = await collect(replica, logprobs=0, options=Options(logit_bias=((300, 100.0),)))
    assert vocabulary[chosen] not in [one.chosen.text for one in logprobs(banned)[:1]]
    assert {vocabulary[300]} == {one.chosen.text for one in logprobs(forced)[1:]}


async def test_a_bias_for_a_token_that_is_none(replica: Replica) -> None:
    """Refused before anything is generated."""
    [failed] = await collect(replica, options=Options(logit_bias=((10**6, 1.0),)))

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Invalid)
    assert ("logit_bias",) == failed.error.path


@pytest.mark.parametrize("incremental", [True, False], ids=["stream", "whole"])
async def test_a_stop_token_ends_and_stays(replica: Replica, incremental: bool) -> None:
    """Its text belongs to the reply; the slot is free again."""
    bias = ((300, 100.0),)
    options = Options(logit_bias=bias, stop_token_ids=(300,))

    events = await collect(replica, options=options, incremental=incremental)
    assert ("stop", 1) == (ending(events).reason, ending(events).usage.completion)
    assert 0 == replica.busy


async def test_nothing_ends_before_its_length(replica: Replica) -> None:
    """`ignore_eos`: even a model that is made to end goes on."""
    eos = replica._vocabulary.ends  # type: ignore[attr-defined]
    bias = tuple((token, 50.0) for token in eos)

    ended = await collect(replica, options=Options(logit_bias=bias))
    going = await collect(replica, options=Options(logit_bias=bias, ignore_eos=True))
    assert ("stop", "length") == (ending(ended).reason, ending(going).reason)
    assert 12 == ending(going).usage.completion


KINDS: dict[str, dict[str, Any]] = {
    "sentencepiece": {},
    "spaced": {"add_space_prefix": True},
    "byte-level": {"llama": True},
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_no_end_before_so_many_tokens(kind: dict[str, Any], tmp_path: Path) -> None:
    """A model that is made to end does so at once, or right behind `min_tokens`: in every way."""
    weights = build_tiny_model(tmp_path / "tiny.gguf", **kind)
    run, log = tmp_path / "run", tmp_path / "log"
    replica = LlamaCppReplica(weights, run, slots=1, context_length=2048, threads=1, log_folder=log)
    await replica.start()
    for end in replica._vocabulary.ends:
        for least in (0, 1, 7, 1003):
            options = Options(logit_bias=((end, 100.0),), min_tokens=least)
            events = await collect(replica, max_tokens=1500, options=options)
            assert ("stop", least + 1) == (ending(events).reason, ending(events).usage.completion)
    await replica.stop()


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"stop": ("a",)}, {}),
        ({}, {"stop_token_ids": (300,)}),
        ({"constraint": JsonOutput({"type": "object"})}, {}),
        ({"constraint": ToolOutput((Tool("f"),), "auto", True)}, {}),
        ({"stop": ("a",), "beams": 2, "incremental": False}, {"use_beam_search": True}),
    ],
    ids=["stop", "stop token", "json", "tools", "beams"],
)
async def test_what_may_end_a_reply_earlier(
    replica: Replica, fields: dict[str, Any], options: dict[str, Any]
) -> None:
    """It is refused beside `min_tokens`, rather than one of both be ignored."""
    [failed] = await collect(replica, **fields, options=Options(min_tokens=3, **options))

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Invalid)
    assert ("min_tokens",) == failed.error.path


async def test_control_tokens_can_be_seen(replica: Replica) -> None:
    """They are kept out of a reply unless they are asked for."""
    control = replica.profile.control_tokens["[INST]"]
    forced = Options(logit_bias=((control, 100.0),))
    shown = Options(logit_bias=((control, 100.0),), skip_special_tokens=False)

    assert "[INST]" not in text(await collect(replica, options=forced))
    assert "[INST][INST]" in text(await collect(replica, options=shown))


@pytest.mark.parametrize("incremental", [True, False], ids=["stream", "whole"])
async def test_the_end_can_be_seen(replica: Replica, incremental: bool) -> None:
    """The token that ends a reply is a control token, too."""
    bias = tuple((token, 100.0) for token in replica._vocabulary.ends)  # type: ignore[attr-defined]
    options = Options(logit_bias=bias, skip_special_tokens=False)

    events = await collect(replica, options=options, incremental=incremental)
    assert replica.profile.eos_token == text(events)


async def test_top_k_of_one_is_greedy(replica: Replica) -> None:
    """Whatever the temperature."""
    greedy = text(await collect(replica))

    assert greedy == text(await collect(replica, temperature=2.0, options=Options(top_k=1)))
    assert greedy == text(await collect(replica, temperature=2.0, options=Options(min_p=1.0)))


async def test_repetition_is_penalised(replica: Replica) -> None:
    """A token that the reply would say over and over is said less."""
    bias = ((300, 8.0),)
    free = logprobs(await collect(replica, logprobs=0, options=Options(logit_bias=bias)))
    held = logprobs(
        await collect(replica, logprobs=0, options=Options(logit_bias=bias, repetition_penalty=2.0))
    )
    said = replica._vocabulary.tokens[300]  # type: ignore[attr-defined]
    assert sum(o.chosen.text == said for o in held) < sum(o.chosen.text == said for o in free)


async def test_a_wide_search_finds_better_than_greed(replica: Replica) -> None:
    """Best first, and the best at least as likely as the greedy reply."""
    options = Options(use_beam_search=True, ignore_eos=True)
    greedy = logprobs(
        await collect(replica, logprobs=0, max_tokens=4, options=options, incremental=False)
    )
    events = await collect(
        replica, logprobs=2, max_tokens=4, beams=4, choices=3, options=options, incremental=False
    )

    sums = [math.fsum(one.chosen.logprob for one in logprobs(events, i)) for i in range(3)]
    assert [0, 1, 2] == [e.index for e in events if isinstance(e, Finish)]
    assert sorted(sums, reverse=True) == sums
    assert 4 == len(greedy)
    assert sums[0] >= math.fsum(one.chosen.logprob for one in greedy) - 1e-3
    assert 3 == len({text(events, i) for i in range(3)})


async def test_a_search_of_one_place_is_the_ranking(replica: Replica) -> None:
    """With a single token to say, the beams are the likeliest tokens in order."""
    [place] = logprobs(await collect(replica, logprobs=3, max_tokens=1))
    options = Options(use_beam_search=True, ignore_eos=True)
    events = await collect(
        replica, logprobs=0, max_tokens=1, beams=3, choices=3, options=options, incremental=False
    )

    found = [logprobs(events, i)[0].chosen.text for i in range(3)]
    special = {t.encode() for t in replica.profile.control_tokens}
    likely = [c.text for c in place.alternatives if c.text not in special]
    assert likely
    assert likely == found[: len(likely)]
    assert "length" == ending(events).reason
