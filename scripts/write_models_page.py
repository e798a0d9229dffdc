"""Write docs/reference/models.md from the catalog's entries."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from cupola.catalog.architecture import Architecture
from cupola.catalog.files import Weights
from cupola.catalog.model import LEAST_CONTEXT, Capability, Model
from cupola.catalog.store import EntryFiles

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "models.md"
GIB = 1024**3

HEAD = """# Models

Written by `python scripts/write_models_page.py` from the entries in `src/cupola/catalog/models`, whose comments name the source of each fact and say which could not be verified; a test fails when the page is not theirs.
Only `Cupola-Pilot` comes with its weights.
For the others, put a GGUF file named as below into the home's `models` folder; `cupola models list` then says `here`.

"""
PROMPTING = """
## How they are prompted

*Trained for* is what the publisher says; what an endpoint takes depends on its engine, too.
The tool syntax `plain-json` is Cupola's own way to tell a model of tools that was trained without.
Models of `llama-json` with the template `llama-3.1` know three functions by heart: a tool named `brave_search` or `wolfram_alpha` whose one argument is the string `query`, or `code_interpreter` whose one argument is any string without limits, is told of by its name alone, and may be called in the form that the model was trained on; what the client gets is the same as of any call.
A tool of such a name that takes something else is told of and called as all others are.
Without `system`, system text becomes part of the user's.
A chat template of Cupola's is used only if the model file has none.

"""
SERVING = """
## How they are offered

*Extra parameters* are fields beyond the Azure schema, sent with `extra-parameters: pass-through`.
A price is that of 1,000 tokens of prompt and of completion.

"""
WEIGHTS = f"""
## Weights, and the memory they need

*At least* is reckoned, not measured: parameters times bits of the quantisation, keys and values of {LEAST_CONTEXT:,} tokens in 16 bits, and half a gibibyte for the engine.
Each further conversation needs its own keys and values.
Models that are not listed are closed: only the engine `upstream`, another provider's endpoint, can serve them.
A dash stands for what is not known.

"""
ARCHITECTURES = """
## Architectures

Of each layer: heads of queries and of keys, numbers of a head, inner width.

"""


def write_page(models: Sequence[Model]) -> str:
    """The page's text."""
    turning = [model for model in models if model.chat_template]
    shaped = [(model, model.architecture) for model in models if model.architecture]
    stored = [(model, weights) for model in models for weights in model.weights]
    return "".join(
        [
            HEAD,
            _table(
                "model | publisher | task | parameters | context | languages | license | preview",
                map(_describe, models),
            ),
            PROMPTING,
            _table("model | trained for | tool syntax | chat template", map(_prompting, turning)),
            SERVING,
            _table(
                "model | engines | deployments | extra parameters | price", map(_serving, models)
            ),
            WEIGHTS,
            _table(
                "model | quantisation | files | published in | revision | SHA-256 | at least",
                [_weights(model, weights) for model, weights in stored],
            ),
            ARCHITECTURES,
            _table(
                "model | layers | hidden | heads | head | inner | vocabulary | positions | else",
                [_architecture(model, shape) for model, shape in shaped],
            ),
        ]
    )


def _table(header: str, rows: Iterable[Sequence[str]]) -> str:
    columns = header.count("|") + 1
    lines = [header, " | ".join(["---"] * columns), *(" | ".join(row) for row in rows)]
    return "".join(f"| {line} |\n" for line in lines)


def _describe(model: Model) -> Sequence[str]:
    return [
        f"`{model.name}`",
        model.publisher,
        model.task,
        _count(model.parameters),
        f"{model.context_length:,}",
        ", ".join(model.languages),
        f"[{model.license}]({model.terms})",
        "yes" if model.preview else "no",
    ]


def _prompting(model: Model) -> Sequence[str]:
    trained = sorted(model.capabilities - {Capability.STREAMING})
    return [
        f"`{model.name}`",
        ", ".join(trained) or "-",
        model.tool_syntax or "-",
        model.chat_template or "-",
    ]


def _serving(model: Model) -> Sequence[str]:
    return [
        f"`{model.name}`",
        ", ".join(model.engines),
        ", ".join(model.deployments),
        ", ".join(f"`{name}`" for name in model.extra_parameters),
        f"{model.price.input} / {model.price.output}",
    ]


def _weights(model: Model, weights: Weights) -> Sequence[str]:
    memory = model.least_memory(weights.quantisation)
    names = [f"`{file.name}`" for file in weights.files] or [f"all of {weights.format}"]
    return [
        f"`{model.name}`",
        weights.quantisation,
        ", ".join(names),
        (f"`{weights.repository}`" if weights.repository else "-")
        + (" (on acceptance)" if weights.gated else ""),
        weights.revision or "-",
        ", ".join(f"`{file.sha256[:12]}...`" for file in weights.files if file.sha256) or "-",
        f"{memory / GIB:.1f} GiB" if memory else "-",
    ]


def _architecture(model: Model, shape: Architecture) -> Sequence[str]:
    return [
        f"`{model.name}`",
        str(shape.layers),
        f"{shape.hidden:,}",
        f"{shape.heads} / {shape.kv_heads}",
        str(shape.head_dim),
        f"{shape.feed_forward:,}",
        f"{shape.vocabulary:,}",
        f"base {shape.rope_theta:,.0f}",
        "; ".join(_peculiarities(shape)) or "-",
    ]


def _peculiarities(shape: Architecture) -> Iterable[str]:
    if shape.experts:
        yield f"{shape.experts.used} of {shape.experts.count} experts"
    if shape.window:
        yield f"window {shape.window:,}"
    if scaling := shape.rope_scaling:
        yield f"positions stretched by {scaling.factor:.0f} from {scaling.original_context:,}"
    if shape.tied_embeddings:
        yield "tied embeddings"
    if vision := shape.vision:
        yield f"{vision.cross_attention_layers} layers that look at images"


_COUNTS: Sequence[tuple[int, str]] = ((10**9, "billion"), (10**6, "million"))


def _count(number: int | None) -> str:
    if number is None:
        return "not published"
    unit, word = next(each for each in _COUNTS if number >= each[0])
    return f"{number / unit:.2f} {word}"


if __name__ == "__main__":
    PAGE.write_text(write_page(EntryFiles().list()), "utf-8")
