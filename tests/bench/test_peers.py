"""The comparison with other gateways runs, with what is there, and says what is not."""

from typing import Any

import pytest

from bench import contenders, peers
from bench.bed import Options
from bench.contenders import Absent, Setup

OURS = contenders.OURS[0]


def _absent(*_: Any) -> Setup:
    raise Absent("nobody has installed it")


def _mute(*_: Any) -> Setup:
    return Setup(("false",))


@pytest.fixture
def results_of(monkeypatch):
    """What is measured of some contenders, in the time that a test has."""

    async def measure(**others: Any) -> dict[str, Any]:
        chosen = {OURS: contenders.ALL[OURS], **others}
        monkeypatch.setattr(peers, "ALL", chosen)
        monkeypatch.setattr(peers, "CLIENTS", (2,))
        return await peers.measure_peers(Options(seconds=0.2, rounds=1))

    return measure


async def test_ours_answers_rightly_whole_and_streamed(results_of):
    results = await results_of()

    for row in ("whole c2", "streamed c2"):
        assert results[row][OURS]["replies/s"] > 0
        assert results[row][OURS]["errors"] == 0


async def test_what_is_not_there_is_named_and_left_out(results_of):
    results = await results_of(LiteLLM=_absent, Portkey=_mute)

    assert results["left out"]["LiteLLM"] == "nobody has installed it"
    assert results["left out"]["Portkey"].startswith("it ended at its start")
    assert results["whole c2"]["ratios"] == {}
    assert "LiteLLM is left out: nobody has installed it." in peers.report(results)


async def test_ratios_are_of_the_same_round(results_of):
    """A second gateway of ours, under another's name, is about as fast: that nothing is swapped."""
    results = await results_of(LiteLLM=contenders.ALL[contenders.OURS[1]])
    row = results["whole c2"]
    there, here = row["LiteLLM"]["replies/s"], row[OURS]["replies/s"]

    assert row["ratios"] == {f"{OURS} / LiteLLM": pytest.approx(here / there, rel=0.02, abs=0.01)}


async def test_a_wrong_reply_is_noticed(results_of, monkeypatch):
    """Were the words others than those asked for, nothing would be measured."""
    monkeypatch.setattr(peers, "WORD", " some other letters")
    monkeypatch.setattr(peers, "_START", 0.0)

    results = await results_of()

    assert "it gave no right reply" in results["left out"][OURS]
