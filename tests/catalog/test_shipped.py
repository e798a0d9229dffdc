import hashlib

from cupola.catalog.model import Model
from cupola.catalog.store import SHIPPED_WEIGHTS, EntryFiles
from cupola.engines.gguf import read_header
from cupola.ids import ModelName

LARGEST = 32 * 1024 * 1024


def pilot() -> Model:
    model = EntryFiles().find(ModelName("Cupola-Pilot"))
    assert model is not None
    return model


def test_entry_matches_the_shipped_weights():
    """Size and checksum are those of the file (`make stamp` writes them)."""
    content = (SHIPPED_WEIGHTS / pilot().weights.file).read_bytes()

    assert len(content) == pilot().weights.size <= LARGEST
    assert hashlib.sha256(content).hexdigest() == pilot().weights.sha256


def test_entry_tells_the_context_length_of_the_file():
    """What the catalog promises is what the model was trained for."""
    header = read_header(SHIPPED_WEIGHTS / pilot().weights.file)

    assert header.context_length == pilot().context_length
