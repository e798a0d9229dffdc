import hashlib

import pytest

from cupola.catalog.files import File, Format, Quantisation
from cupola.catalog.model import Capability, Model, Task
from cupola.catalog.store import SHIPPED_WEIGHTS, EntryFiles
from cupola.engines.gguf import read_header
from cupola.ids import ModelName
from scripts.write_models_page import PAGE, write_page

MODELS = EntryFiles().list()
LARGEST = 32 * 1024 * 1024


def pilot() -> Model:
    model = EntryFiles().find(ModelName("Cupola-Pilot"))
    assert model is not None
    return model


def file() -> File:
    return pilot().weights[0].files[0]


def test_entry_matches_the_shipped_weights():
    """Size and checksum are those of the file (`make stamp` writes them)."""
    content = (SHIPPED_WEIGHTS / file().name).read_bytes()

    assert len(content) == file().size
    assert len(content) <= LARGEST
    assert hashlib.sha256(content).hexdigest() == file().sha256


def test_entry_tells_the_context_length_of_the_file():
    """What the catalog promises is what the model was trained for."""
    header = read_header(SHIPPED_WEIGHTS / file().name)

    assert header.context_length == pilot().context_length


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_entry_is_consistent(model: Model):
    """Its facts agree with one another."""
    closed = not model.weights
    base = model.task is Task.TEXT_GENERATION

    assert model.languages
    assert model.terms.startswith("https://")
    assert model.engines
    assert model.deployments
    assert Capability.STREAMING in model.capabilities
    assert (model.engines == ("upstream",)) == closed
    assert (model.chat_template is None) == (closed or base)
    assert (model.tool_syntax is None) == (closed or base)
    assert (model.architecture is None) == closed
    assert ("llamacpp" in model.engines) == any(w.format is Format.GGUF for w in model.weights)
    assert all(w.files for w in model.weights if w.format is Format.GGUF)
    assert all(w.repository for w in model.weights if w.format is Format.SAFETENSORS)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_parameters_follow_from_the_architecture(model: Model):
    """To the last one; a wrong width or vocabulary could not hide. Images are counted apart."""
    shape = model.architecture
    if shape is None:
        assert model.parameters is None
    elif shape.vision:
        assert shape.count_parameters() < (model.parameters or 0)
    else:
        assert shape.count_parameters() == model.parameters


def test_tool_syntax_is_that_of_the_template():
    """A model is told of tools in the words that its calls are read in."""
    spoken = {
        "mistral-v1": "plain-json",
        "mistral-v3": "mistral-v3",
        "mistral-v3-tekken": "mistral-v3",
        "llama-2": "plain-json",
        "llama-3": "plain-json",
        "llama-3.1": "llama-json",
        "llama-3.2": "llama-json",
    }

    for model in MODELS:
        if model.chat_template:
            assert spoken[model.chat_template] == model.tool_syntax, model.name
            trained = Capability.TOOLS in model.capabilities
            assert trained == (model.tool_syntax != "plain-json"), model.name


def test_memory_is_reckoned_from_parameters_and_context():
    """Half a gibibyte, a third of a megabyte a token for Llama 2 of 13 billion, and its bytes."""
    model = EntryFiles().find(ModelName("Llama-2-13b-chat"))
    assert model is not None

    cache = 2 * 40 * 5120 * 2 * 4096
    expected = 13_015_864_320 * 2 + cache + 512 * 1024**2
    assert expected == model.least_memory(Quantisation.F16)
    assert pilot().least_memory(Quantisation.F16) == 2 * 5_278_976 + 3_145_728 + 512 * 1024**2


def test_page_of_models_is_up_to_date():
    """docs/reference/models.md is what `python scripts/write_models_page.py` writes."""
    assert write_page(MODELS) == PAGE.read_text("utf-8")
