from dataclasses import replace

import pytest

from cupola.catalog.choice import Refusal, choose_weights
from cupola.catalog.files import File, Format, Quantisation, Weights
from cupola.catalog.model import Model
from cupola.catalog.store import EntryFiles
from cupola.ids import ModelName
from tests.catalog.test_service import MODEL

GIB = 1024**3


def llama() -> Model:
    """Weights in Q4_K_M (preferred), Q8_0, and BF16 as safetensors."""
    model = EntryFiles().find(ModelName("Meta-Llama-3.1-8B-Instruct"))
    assert model is not None
    return model


def choose(wanted: str | None, memory: int | None, *present: int) -> Quantisation | Refusal:
    model = llama()
    chosen = choose_weights(model, wanted, memory, [model.weights[i] for i in present])
    return chosen if isinstance(chosen, Refusal) else chosen.quantisation


def test_the_entrys_first_is_preferred():
    """Where nothing is here and everything fits."""
    assert Quantisation.Q4_K_M == choose(None, 100 * GIB)


def test_what_is_here_is_preferred():
    """Nobody waits for a download that is not needed."""
    assert Quantisation.Q8_0 == choose(None, 100 * GIB, 1)


def test_what_is_here_but_does_not_fit_is_not_taken():
    """A smaller one is fetched."""
    assert Quantisation.Q4_K_M == choose(None, 7 * GIB, 1)


def test_what_is_wanted_is_taken():
    """Whatever else is here."""
    assert Quantisation.Q8_0 == choose("Q8_0", 100 * GIB, 0)


def test_without_memory_nothing_is_asked_about_it():
    """As for a download ahead of its deployment."""
    assert Quantisation.Q8_0 == choose("Q8_0", None)


def test_too_little_memory_is_told_with_numbers_and_a_mend():
    """The other quantisation is named if it fits."""
    refusal = choose("Q8_0", 7 * GIB)

    assert isinstance(refusal, Refusal)
    assert (
        "Meta-Llama-3.1-8B-Instruct in Q8_0 needs 8.9 GiB, 7.0 GiB of memory are free: "
        "choose Q4_K_M."
    ) == refusal.reason
    assert llama().least_memory(Quantisation.Q8_0) == refusal.needed


def test_nothing_fits():
    """Then something has to be stopped; the least need is told."""
    refusal = choose(None, GIB)

    assert isinstance(refusal, Refusal)
    assert "in Q4_K_M needs 5.6 GiB" in refusal.reason
    assert "stop something, or choose a smaller model" in refusal.reason


@pytest.mark.parametrize("wanted", ["Q2_K", "q8_0", "BF16"])
def test_unknown_quantisation_is_refused(wanted: str):
    """With those that this engine can run; names are compared exactly."""
    refusal = choose(wanted, None)

    assert isinstance(refusal, Refusal)
    assert refusal.reason.endswith(f"has no quantisation {wanted!r}. It has: Q4_K_M, Q8_0.")
    assert refusal.needed is None


def test_unknown_need_fits():
    """What nobody can reckon is tried."""
    weights = Weights(Quantisation.F16, Format.GGUF, (File("a.gguf"),))
    model = replace(MODEL, parameters=None, weights=(weights,))

    assert weights == choose_weights(model, None, 1, [])


def test_other_formats_are_for_other_engines():
    """Weights that the engine cannot read are none."""
    chosen = choose_weights(llama(), None, None, [], Format.SAFETENSORS)
    assert isinstance(chosen, Weights)
    assert Quantisation.BF16 == chosen.quantisation
    closed = choose_weights(replace(MODEL, weights=()), None, None, [])
    assert isinstance(closed, Refusal)
    assert "closed" in closed.reason
