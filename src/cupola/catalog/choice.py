"""Which of a model's weights to run: a decision from values, made before anything is fetched."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cupola.catalog.files import Format, Quantisation, Weights
from cupola.catalog.model import Model

_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why none of them can be run, and what would help."""

    reason: str
    needed: int | None = None
    """Bytes of memory that the smallest acceptable weights take; None: memory is not the reason."""


def choose_weights(
    model: Model,
    wanted: str | None,
    free_memory: int | None,
    present: Collection[Weights],
    format: Format = Format.GGUF,
) -> Weights | Refusal:
    """The weights to run.

    Those that are here go before those that must be fetched; among equals the entry's order is the
    preference. What the need of is not to be known, counts as fitting.

    Args:
        wanted: A quantisation's name; None: any.
        free_memory: Bytes; None: memory is not asked about.
        present: The weights that are on this machine.
    """
    known = [each for each in model.weights if each.format is format]
    if not known:
        return Refusal(_explain_none(model, format))
    candidates = [each for each in known if wanted in (None, each.quantisation)]
    if not candidates:
        names = ", ".join(dict.fromkeys(each.quantisation for each in known))
        return Refusal(f"{model.name} has no quantisation {wanted!r}. It has: {names}.")
    fitting = [each for each in candidates if _fits(model, each, free_memory)]
    if not fitting:
        return _explain_memory(model, candidates, known, free_memory or 0)
    return next((each for each in fitting if each in present), fitting[0])


def _fits(model: Model, weights: Weights, free_memory: int | None) -> bool:
    needed = model.least_memory(weights.quantisation)
    return needed is None or free_memory is None or needed <= free_memory


def _explain_memory(
    model: Model, candidates: Sequence[Weights], known: Sequence[Weights], free: int
) -> Refusal:
    def need(weights: Weights) -> int:
        return model.least_memory(weights.quantisation) or 0

    least = min(candidates, key=need)
    text = (
        f"{model.name} in {least.quantisation} needs {_gib(need(least))}, "
        f"{_gib(free)} of memory are free: "
    )
    smaller = [each for each in known if need(each) <= free]
    if smaller:
        return Refusal(f"{text}choose {_best(smaller, model)}.", need(least))
    return Refusal(f"{text}stop something, or choose a smaller model.", need(least))


def _best(weights: Sequence[Weights], model: Model) -> Quantisation:
    """The one that keeps most of the model."""
    return max(weights, key=lambda each: model.least_memory(each.quantisation) or 0).quantisation


def _explain_none(model: Model, format: Format) -> str:
    if model.weights:
        engine = "llama.cpp" if format is Format.GGUF else "vLLM"
        return f"{model.name} has no weights that {engine} could run."
    return f"The weights of {model.name} are closed: only its publisher can run it."


def _gib(size: int) -> str:
    return f"{size / _GIB:.1f} GiB"
