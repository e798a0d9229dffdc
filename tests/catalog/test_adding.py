"""Models that nobody wrote an entry for: from a file, a folder or a repository."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import pytest

from cupola.catalog.fetch_events import Described, Listed
from cupola.catalog.files import Format, Quantisation
from cupola.catalog.introduce import Told
from cupola.catalog.memory import MemoryEntries, MemoryHub
from cupola.catalog.model import Capability, Task, ToolSyntax
from cupola.catalog.service import Catalog
from cupola.catalog.store import OwnEntryFiles, WeightFolders
from cupola.engines.gguf_file import BadModelFile
from cupola.kit.errors import Conflict, Invalid, NotFound, Unavailable
from tests.catalog.safetensors import CONFIG, build_folder
from tests.catalog.test_service import MODEL
from tests.models import build_tiny_model

REVISION = "0123456789abcdef0123456789abcdef01234567"


class Home:
    """A home with one shipped model; opened anew as after a restart."""

    def __init__(self, folder: Path, **repositories: Described) -> None:
        self.folder = folder
        self.repositories = {name.replace("__", "/"): each for name, each in repositories.items()}

    def open(self) -> Catalog:
        models = self.folder / "models"
        own = OwnEntryFiles(self.folder / "models.d", models, MemoryEntries(MODEL))
        shelf = WeightFolders(models, self.folder / "none", self.folder / "weights")
        return Catalog(own, shelf, own, MemoryHub(self.repositories))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(scope="module")
def data(tiny: Path) -> bytes:
    return tiny.read_bytes()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


async def test_local_gguf_becomes_a_model(home: Home, tiny: Path):
    """Its header says what it is; from then on it is served like any other."""
    added = await home.open().add_local(tiny, "My-Tiny")

    model = home.open().get_model("My-Tiny")
    assert added == model
    assert 2048 == model.context_length
    assert Task.CHAT_COMPLETIONS == model.task
    assert ("llamacpp",) == model.engines
    assert Quantisation.F32 == model.weights[0].quantisation
    reader = gguf.GGUFReader(tiny)
    assert sum(int(tensor.n_elements) for tensor in reader.tensors) == model.parameters
    assert model.architecture is not None
    assert (2, 64, 4, 2) == (
        model.architecture.layers,
        model.architecture.hidden,
        model.architecture.heads,
        model.architecture.kv_heads,
    )
    assert model.least_memory(Quantisation.F32)
    found = home.open().get_weights(model)
    assert found.own
    assert found.path.samefile(tiny)


async def test_what_a_person_says_goes_before_what_is_found(home: Home, tiny: Path):
    """Files know no licence."""
    told = Told(publisher="Me", license="MIT", terms="https://license.example", context_length=512)
    model = await home.open().add_local(tiny, "Mine", told)

    assert ("Me", "MIT", 512) == (model.publisher, model.license, model.context_length)
    bare = await home.open().add_local(tiny, "Bare")
    assert "LicenseRef-Unknown" == bare.license


async def test_folder_of_safetensors_becomes_a_model(home: Home, tmp_path: Path):
    """For the engines that read such folders; nothing else in it is taken."""
    model = await home.open().add_local(build_folder(tmp_path / "m"), "Folder")

    assert ("vllm",) == model.engines
    assert (512, 128) == (model.context_length, model.parameters)
    weights = model.weights[0]
    assert (Format.SAFETENSORS, Quantisation.BF16) == (weights.format, weights.quantisation)
    assert ["Folder/model.safetensors", "Folder/config.json", "Folder/tokenizer.json"] == [
        file.name for file in weights.files
    ]


async def test_parts_are_added_together(home: Home, tiny: Path, data: bytes, tmp_path: Path):
    """Any of them stands for all; a missing one is named."""
    for number in (1, 2):
        (tmp_path / f"big-0000{number}-of-00002.gguf").write_bytes(data)
    whole = await home.open().add_local(tiny, "Whole")
    model = await home.open().add_local(tmp_path / "big-00002-of-00002.gguf", "Parts")

    assert 2 == len(model.weights[0].files)
    assert 2 * (whole.parameters or 0) == model.parameters
    (tmp_path / "big-00001-of-00002.gguf").unlink()
    with pytest.raises(BadModelFile, match=r"missing: big-00001-of-00002\.gguf"):
        await home.open().add_local(tmp_path / "big-00002-of-00002.gguf", "Other")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "ä", "-a", "a" * 65, "a b", "a\n"])
async def test_bad_name_is_refused(home: Home, tiny: Path, name: str):
    """It becomes a file's name, and part of replies."""
    with pytest.raises(Invalid, match="cannot be a model's name") as raised:
        await home.open().add_local(tiny, name)
    assert ("name",) == raised.value.path


async def test_taken_name_costs_nothing(home: Home, tiny: Path):
    """It is refused before a file is kept; shadowing must be asked for."""
    with pytest.raises(Conflict, match="came with Cupola"):
        await home.open().add_local(tiny, "Small")
    assert not (home.folder / "models" / "Small").exists()

    await home.open().add_local(tiny, "Small", shadow=True)
    assert "Own models" == home.open().get_model("Small").collection
    home.open().remove("Small")
    assert MODEL == home.open().get_model("Small")


async def test_unusable_files_are_refused(home: Home, data: bytes, tmp_path: Path):
    """Each with what is wrong; nothing of them stays."""
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(data[:-100])
    pickle = tmp_path / "pytorch_model.bin"
    pickle.write_bytes(b"\x80\x04.")
    (tmp_path / "empty").mkdir()
    broken = build_folder(tmp_path / "broken")
    (broken / "config.json").write_text("{")
    listed = build_folder(tmp_path / "listed")
    (listed / "config.json").write_text("[]")

    for path, said in [
        (tmp_path / "absent.gguf", "neither a file nor a folder"),
        (cut, "cut short"),
        (pickle, "not a GGUF model file"),
        (tmp_path / "empty", "needs config.json"),
        (broken, "config.json is no valid JSON"),
        (listed, "config.json is no object"),
    ]:
        with pytest.raises(Invalid) as raised:
            await home.open().add_local(path, "Bad")
        assert said in raised.value.public
    assert not (home.folder / "models").exists()
    assert ["Small"] == [model.name for model in home.open().list_models()]


async def test_removed_model_takes_its_kept_files_along(home: Home, tiny: Path):
    """The original stays; what came with Cupola cannot be removed."""
    await home.open().add_local(tiny, "Mine")

    home.open().remove("Mine")

    assert await asyncio.to_thread(tiny.exists)
    assert not (home.folder / "models" / "Mine").exists()
    with pytest.raises(NotFound):
        home.open().remove("Mine")
    with pytest.raises(Invalid, match="came with Cupola"):
        home.open().remove("Small")


def described(*names: str, **more: Any) -> Described:
    files = tuple(Listed(name, 10, "0" * 64, None) for name in names)
    return Described(REVISION, files, **more)


async def test_repository_of_gguf_becomes_a_model(home: Home):
    """Each quantisation that its files' names say, the usual one first, pinned to the commit."""
    home.repositories["people/m-GGUF"] = described(
        "README.md",
        "m.Q8_0.gguf",
        "m-Q4_K_M.gguf",
        "m-Q4_K_S.gguf",
        "m-f16-00002-of-00002.gguf",
        "m-f16-00001-of-00002.gguf",
        "mmproj-m-f16.gguf",
        "m-IQ1_S.gguf",
        "../m-Q6_K.gguf",
        context_length=4096,
        parameters=7_000_000_000,
        chat_template="{{ messages }}{{ tools }}[TOOL_CALLS] {{ id }}",
        license="apache-2.0",
        gated=True,
    )
    added = await home.open().add_repository("people/m-GGUF", "M")

    model = home.open().get_model("M")
    assert added == model
    assert ["Q4_K_M", "Q8_0", "F16", "Q4_K_S"] == [each.quantisation for each in model.weights]
    assert ["m-f16-00001-of-00002.gguf", "m-f16-00002-of-00002.gguf"] == [
        file.name for file in model.weights[2].files
    ]
    assert {REVISION} == {each.revision for each in model.weights}
    assert all(each.gated for each in model.weights)
    assert (4096, 7_000_000_000) == (model.context_length, model.parameters)
    assert ("people", "apache-2.0") == (model.publisher, model.license)
    assert ToolSyntax.MISTRAL_V3 == model.tool_syntax
    assert Capability.TOOLS in model.capabilities


async def test_repository_of_safetensors_becomes_a_model(home: Home):
    """Its configuration says the shape."""
    config: Mapping[str, Any] = {**CONFIG, "torch_dtype": "float16"}
    home.repositories["people/m"] = described(
        "config.json", "model.safetensors", config=config, parameters=128
    )
    model = await home.open().add_repository("people/m", "M")

    assert (512, ("vllm",)) == (model.context_length, model.engines)
    assert Quantisation.F16 == model.weights[0].quantisation
    assert () == model.weights[0].files


async def test_repository_without_weights_is_refused(home: Home):
    """Pickles are no weights; an unknown length must be told; an unknown name is the hub's."""
    home.repositories["people/pickled"] = described("pytorch_model.bin", context_length=1)
    home.repositories["people/short"] = described("m-Q8_0.gguf")
    catalog = home.open()

    with pytest.raises(Invalid, match="loading them runs programs"):
        await catalog.add_repository("people/pickled", "M")
    with pytest.raises(Invalid, match="give its context length"):
        await catalog.add_repository("people/short", "M")
    with pytest.raises(Unavailable, match="Check the name"):
        await catalog.add_repository("people/none", "M")
    await catalog.add_repository("people/short", "M", Told(context_length=8192))


async def test_closed_catalog_takes_nothing(tiny: Path):
    """A catalog without a home says so."""
    catalog = Catalog(MemoryEntries(MODEL), WeightFolders(tiny.parent))

    with pytest.raises(Unavailable):
        await catalog.add_local(tiny, "Mine")
    assert () == tuple(catalog.list_faults())


async def test_window_of_other_families_is_the_engines(home: Home, tmp_path: Path):
    """Only where llama.cpp ignores a sliding window does the context end with it."""
    folder = build_folder(tmp_path / "m")
    for kind, window in (("mistral", 64), ("gemma3", None)):
        config = {**CONFIG, "model_type": kind, "sliding_window": 64}
        (folder / "config.json").write_text(json.dumps(config))
        model = await home.open().add_local(folder, f"M-{kind}")
        assert model.architecture is not None
        assert window == model.architecture.window


def test_start_does_not_load_the_hubs_library():
    """It takes half a second, and only the process that downloads needs it."""
    program = "import cupola.app.serve, sys; sys.exit('huggingface_hub' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", program], check=False).returncode
