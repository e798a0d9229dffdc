from pathlib import Path

import pytest

from cupola.catalog.memory import MemoryEntries, MemoryShelf
from cupola.catalog.model import Capability, FoundWeights, Model, Task, Weights
from cupola.catalog.service import Catalog
from cupola.ids import ModelName
from cupola.kit.errors import NotFound, Unavailable

MODEL = Model(
    name=ModelName("Small"),
    publisher="Cupola",
    collection="Cupola",
    summary="A model for tests.",
    task=Task.CHAT_COMPLETIONS,
    license="Apache-2.0",
    languages=("en",),
    context_length=1024,
    parameters=1000,
    capabilities=frozenset({Capability.TOOLS}),
    engines=("llamacpp",),
    default_temperature=0.5,
    weights=Weights("small.gguf", size=4, sha256="0" * 64),
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
    found = FoundWeights(weights, own=False)

    assert found == Catalog(MemoryEntries(MODEL), MemoryShelf(found)).get_weights(MODEL)


def test_missing_weights_are_named():
    """The message says which file is missing."""
    with pytest.raises(Unavailable, match=r"weights of Small \(small\.gguf\) are missing"):
        Catalog(MemoryEntries(MODEL), MemoryShelf()).get_weights(MODEL)


def test_cut_weights_are_refused(weights: Path):
    """A broken copy is found before an engine maps it."""
    weights.write_bytes(b"GG")
    catalog = Catalog(MemoryEntries(MODEL), MemoryShelf(FoundWeights(weights, own=False)))

    with pytest.raises(Unavailable, match="has 2 bytes instead of 4"):
        catalog.get_weights(MODEL)


def test_own_weights_may_have_any_size(weights: Path):
    """Whoever trained a model further need not change the catalog to try it."""
    weights.write_bytes(b"GGUF and more")
    found = FoundWeights(weights, own=True)

    assert found == Catalog(MemoryEntries(MODEL), MemoryShelf(found)).get_weights(MODEL)
