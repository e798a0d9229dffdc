import pytest

from cupola.catalog.model import Capability, Task
from cupola.catalog.search import ModelFilter, search
from cupola.catalog.store import EntryFiles

MODELS = EntryFiles().list()
GIB = 1024**3


def names(wanted: ModelFilter) -> set[str]:
    return {model.name for model in search(MODELS, wanted)}


def test_nothing_asked_finds_everything():
    """In the catalog's order."""
    assert MODELS == search(MODELS, ModelFilter())


@pytest.mark.parametrize(
    ("wanted", "found", "not_found"),
    [
        (ModelFilter(collection="meta llama"), "Llama-2-7b-chat", "Mistral-Nemo"),
        (ModelFilter(publisher="MistralAI"), "Mistral-Nemo", "Llama-2-7b-chat"),
        (ModelFilter(task=Task.TEXT_GENERATION), "mistralai-Mixtral-8x7B-v01", "Mistral-Nemo"),
        (
            ModelFilter(capability=Capability.VISION),
            "Llama-3.2-11B-Vision-Instruct",
            "Mistral-Nemo",
        ),
        (ModelFilter(license="apache-2.0"), "Mistral-Nemo", "Llama-2-7b-chat"),
        (ModelFilter(deployment="managed"), "Llama-2-7b-chat", "Mistral-Large"),
        (ModelFilter(text="NEMO mistral"), "Mistral-Nemo", "Mistral-Small"),
        (ModelFilter(memory=2 * GIB), "Llama-3.2-1B-Instruct", "Meta-Llama-3.1-8B-Instruct"),
        (ModelFilter(memory=200 * GIB), "Meta-Llama-3.1-8B-Instruct", "Mistral-Large"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else None,
)
def test_each_criterion_holds_back(wanted: ModelFilter, found: str, not_found: str):
    """Names are compared without regard to case, words in any order, memory by the least need."""
    assert found in names(wanted)
    assert not_found not in names(wanted)


def test_criteria_hold_together():
    """All of them."""
    wanted = ModelFilter(publisher="Meta", capability=Capability.TOOLS, memory=3 * GIB)

    assert {"Llama-3.2-1B-Instruct"} <= names(wanted) <= names(ModelFilter(publisher="Meta"))
    assert set() == names(ModelFilter(publisher="Meta", collection="Cupola"))
