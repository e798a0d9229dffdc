import math

from hypothesis import given
from hypothesis import strategies as st

from cupola.deployments.scaling import TARGET, Trend, advance

IDLE = 60.0


def run(loads: list[int], slots: int = 4, least: int = 0, trend: Trend | None = None) -> Trend:
    """One load a second."""
    trend = trend or Trend()
    begin = int(trend.at) + 1
    for second, load in enumerate(loads, begin):
        trend = advance(trend, load, slots, float(second), IDLE, least)
    return trend


def test_the_first_who_waits_wakes_one():
    """At once: nothing is smoothed away from a caller who has nobody."""
    quiet = run([0] * 10)

    assert 0 == quiet.wanted
    assert 1 == run([1], trend=quiet).wanted


def test_a_lasting_load_gets_more():
    """Ten at once on replicas of four slots, three quarters full: four replicas."""
    assert 4 == run([10] * 20).wanted


def test_a_burst_of_a_second_gets_little():
    """Nine seconds of rest before and after: not the seven replicas it would need for ever."""
    assert run([0] * 9 + [20] + [0] * 9).wanted <= 3


def test_what_is_not_needed_goes_after_a_while():
    """Not at once, for it may be needed again; down to nothing, if nobody asks."""
    busy = run([10] * 20)

    assert busy.wanted == run([0] * 30, trend=busy).wanted
    assert 0 == run([0] * 200, trend=busy).wanted


def test_a_floor_of_need_is_kept():
    """What must be proven runs, whoever asks."""
    assert 1 == run([0] * 200, least=1).wanted


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 16))
def test_never_none_for_somebody_nor_more_than_the_highest_load_wants(loads: list[int], slots: int):
    """Whatever the past: who asks now has a replica now."""
    trend = run([*loads, 1], slots)

    assert 1 <= trend.wanted <= math.ceil(max([1, *loads]) / (slots * TARGET))
