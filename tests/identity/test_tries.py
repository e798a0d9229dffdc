import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.identity.tries import NAME, Tries
from cupola.kit.clock import FakeClock
from cupola.kit.errors import RateLimited


@given(st.lists(st.floats(min_value=0, max_value=100), max_size=60))
def test_guesses_of_a_name_are_few(pauses: list[float]):
    """However a guesser spaces them: the free ones, then each after its wait, a minute at most."""
    clock = FakeClock()
    tries, begun = Tries(clock), 0
    for number, pause in enumerate(pauses):
        clock.advance(pause)
        begun += _begin(tries, f"10.0.{number}.1")

    elapsed, allowed, wait = sum(pauses), NAME.free, 1.0
    while elapsed >= wait - 1e-6:
        elapsed, allowed, wait = elapsed - wait, allowed + 1, min(wait * 2, NAME.longest)
    assert begun <= allowed


def _begin(tries: Tries, source: str) -> bool:
    try:
        tries.begin("ada", source)
    except RateLimited as limited:
        return not 0 < (limited.retry_after or 0) <= NAME.longest  # then the law fails as well
    return True


def test_success_starts_a_name_anew():
    """Who mistypes now and then never waits, wherever they are."""
    tries = Tries(FakeClock())
    for round_ in range(50):
        for number in range(4):
            tries.begin("ada", f"10.{round_}.{number}.1")
        tries.succeed("ada", f"10.{round_}.3.1")


def test_success_does_not_start_a_source_anew():
    """Who has one good password cannot guess others with it for ever."""
    tries = Tries(FakeClock())
    for number in range(20):
        tries.begin(f"name{number}", "10.0.0.1")
        if number < 19:
            tries.begin("mine", "10.0.0.1")
            tries.succeed("mine", "10.0.0.1")
    with pytest.raises(RateLimited):
        tries.begin("mine", "10.0.0.1")
