from dataclasses import replace
from pathlib import Path

import pytest

from cupola.catalog.files import File, Format, FoundWeights, Quantisation, Weights
from cupola.catalog.memory import MemoryEntries, MemoryShelf
from cupola.catalog.model import Capability, Model, Task
from cupola.catalog.search import ModelFilter
from cupola.catalog.service import Catalog
from cupola.ids import ModelName
from cupola.kit.errors import NotFound, Unavailable
from tests.gateway.fakes import PROFILE

FILE = File("small.gguf", size=4, sha256="0" * 64)
MODEL = Model(
    name=ModelName("Small"),
    publisher="Cupola",
    collection="Cupola",
    summary="A model for tests.",
    task=Task.CHAT_COMPLETIONS,
    license="Apache-2.0",
    terms="https://license.example",
    preview=False,
    languages=("en",),
    context_length=1024,
    parameters=1000,
    capabilities=frozenset({Capability.TOOLS}),
    engines=("llamacpp",),
    deployments=("serverless",),
    default_temperature=0.5,
    weights=(Weights(Quantisation.F16, Format.GGUF, (FILE,)),),
)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "small.gguf"
    path.write_bytes(b"GGUF")
    return path


def test_model_is_found_by_name():
    """The catalog knows its entries."""
    assert MODEL == Catalog(MemoryEntries(MODEL), MemoryShelf()).get_model("Small")


def test_unknown_model_is_answered_with_the_known():
    """A slip of the pen is mended by reading the message."""
    with pytest.raises(NotFound, match=r"The catalog has no model 'Smal'\. It has: Small\."):
        Catalog(MemoryEntries(MODEL), MemoryShelf()).get_model("Smal")


def test_whole_weights_may_be_loaded(weights: Path):
    """A file of the right size is handed out."""
    found = FoundWeights(weights, own=False, file=FILE)

    assert found == Catalog(MemoryEntries(MODEL), MemoryShelf(found)).get_weights(MODEL)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (MODEL.weights, r"not on this machine\. Put one of these .*: small\.gguf\."),
        ((Weights(Quantisation.BF16, Format.SAFETENSORS),), "no weights that llama.cpp could run"),
        ((), "are closed"),
    ],
)
def test_missing_weights_are_named(weights: tuple[Weights, ...], said: str):
    """The message says why, and which file would do."""
    model = replace(MODEL, weights=weights)

    with pytest.raises(Unavailable, match=said):
        Catalog(MemoryEntries(model), MemoryShelf()).get_weights(model)


def test_weights_of_unknown_size_may_be_loaded(weights: Path):
    """Nobody can be blamed for what the entry does not know."""
    file = File("small.gguf")
    model = replace(MODEL, weights=(Weights(Quantisation.F16, Format.GGUF, (file,)),))
    found = FoundWeights(weights, own=False, file=file)

    assert found == Catalog(MemoryEntries(model), MemoryShelf(found)).get_weights(model)


def test_the_preferred_of_several_weights_is_taken(weights: Path):
    """In the entry's order, whatever else is here."""
    files = [File(f"{name}.gguf") for name in ("absent", "first", "second")]
    here = [FoundWeights(weights.with_name(file.name), own=True, file=file) for file in files[1:]]
    each = tuple(Weights(Quantisation.F16, Format.GGUF, (file,)) for file in files)
    model = replace(MODEL, weights=each)

    assert here[0] == Catalog(MemoryEntries(model), MemoryShelf(*here)).find_weights(model)


def test_template_is_the_catalogs_where_the_file_has_none():
    """A name that leads nowhere is our fault; a model without turns needs none."""
    catalog = Catalog(MemoryEntries(templates={"t": "{{ messages }}"}), MemoryShelf())
    bare = replace(PROFILE, chat_template="")
    model = replace(MODEL, chat_template="t")

    assert "{{ messages }}" == catalog.complete(bare, model).chat_template
    assert PROFILE is catalog.complete(PROFILE, model)
    assert bare is catalog.complete(bare, MODEL)
    with pytest.raises(Unavailable, match=r"chat template of Small \(u\) is missing"):
        catalog.complete(bare, replace(MODEL, chat_template="u"))


def test_cut_weights_are_refused(weights: Path):
    """A broken copy is found before an engine maps it."""
    weights.write_bytes(b"GG")
    catalog = Catalog(
        MemoryEntries(MODEL), MemoryShelf(FoundWeights(weights, own=False, file=FILE))
    )

    with pytest.raises(Unavailable, match="has 2 bytes instead of 4"):
        catalog.get_weights(MODEL)


def test_own_weights_may_have_any_size(weights: Path):
    """Whoever trained a model further need not change the catalog to try it."""
    weights.write_bytes(b"GGUF and more")
    found = FoundWeights(weights, own=True, file=FILE)

    assert found == Catalog(MemoryEntries(MODEL), MemoryShelf(found)).get_weights(MODEL)


def test_wanted_weights_are_named():
    """Without a quantisation any of the model's may run."""
    weights = (*MODEL.weights, replace(MODEL.weights[0], quantisation=Quantisation.Q8_0))
    model = replace(MODEL, weights=weights)
    catalog = Catalog(MemoryEntries(model), MemoryShelf())

    assert set(weights) == catalog.list_wanted([("Small", None)])
    assert {weights[1]} == catalog.list_wanted([("Small", "Q8_0"), ("Gone", None)])
    assert set() == catalog.list_wanted([])


def test_models_are_searched():
    """By the catalog's filter."""
    catalog = Catalog(MemoryEntries(MODEL), MemoryShelf())

    assert [MODEL] == list(catalog.search(ModelFilter(text="small")))
    assert [] == list(catalog.search(ModelFilter(text="large")))
