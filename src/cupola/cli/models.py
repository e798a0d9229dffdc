"""`cupola models`: the catalog."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cupola.cli import weights as weights_commands
from cupola.cli.options import HomeOption, JsonOption, ServerOption
from cupola.cli.output import print_done, print_fields, print_json, print_table

if TYPE_CHECKING:
    from cupola.catalog.model import Model
    from cupola.catalog.service import Catalog

app = typer.Typer(help="The catalog: models that can be deployed.", no_args_is_help=True)
app.command("download")(weights_commands.download)
app.command("gc")(weights_commands.gc)

_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class WeightsView:
    """One quantisation of a model."""

    quantisation: str
    format: str
    repository: str | None
    revision: str | None
    gated: bool
    files: Sequence[Mapping[str, Any]]
    """`name`, `size` and `sha256` of each; the last two may be null."""
    least_memory: int | None
    """Bytes."""


@dataclass(frozen=True, slots=True)
class ModelView:
    """A catalog entry as `--json` prints it; docs/reference/cli.md promises its fields."""

    name: str
    publisher: str
    collection: str
    summary: str
    task: str
    license: str
    languages: Sequence[str]
    context_length: int
    parameters: int | None
    capabilities: Sequence[str]
    engines: Sequence[str]
    default_temperature: float
    weights_file: str | None
    weights_size: int | None
    weights_sha256: str | None
    terms: str
    preview: bool
    deployments: Sequence[str]
    tool_syntax: str | None
    chat_template: str | None
    extra_parameters: Sequence[str]
    price_input: str
    price_output: str
    architecture: Mapping[str, Any] | None
    weights: Sequence[WeightsView]
    weights_path: str | None
    """None: not on this machine."""


Collection = Annotated[str | None, typer.Option("--collection", metavar="C", help="Its family.")]
Publisher = Annotated[str | None, typer.Option("--publisher", metavar="P", help="Who made it.")]
TaskOption = Annotated[str | None, typer.Option("--task", metavar="T", help="What it is for.")]
CapabilityOption = Annotated[
    str | None, typer.Option("--capability", metavar="C", help="What it can, as tools.")
]
LicenseOption = Annotated[str | None, typer.Option("--license", metavar="L", help="As Apache-2.0.")]
DeploymentKindOption = Annotated[
    str | None, typer.Option("--deployment", metavar="K", help="serverless or managed.")
]
Text = Annotated[str | None, typer.Option("--text", metavar="WORDS", help="In name or summary.")]


@app.command("list")
def list_models(
    collection: Collection = None,
    publisher: Publisher = None,
    task: TaskOption = None,
    capability: CapabilityOption = None,
    license: LicenseOption = None,
    deployment: DeploymentKindOption = None,
    text: Text = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """List the catalog, or those entries that have all that is asked for."""
    from cupola.cli.remote import is_elsewhere

    chosen = {
        "collection": collection,
        "publisher": publisher,
        "task": task,
        "capability": capability,
        "license": license,
        "deployment": deployment,
        "text": text,
    }
    if is_elsewhere(server, home):
        _list_remote(server, home, chosen, json)
    else:
        _list_own(home, chosen, json)


def _list_own(home: Path | None, chosen: Mapping[str, str | None], json: bool) -> None:
    """Of the home itself: no server need run, and it is known where the weights are."""
    from cupola.catalog.search import ModelFilter, search
    from cupola.cli.installation import open_own_catalog

    catalog = open_own_catalog(home)
    found = search(catalog.list_models(), ModelFilter(**_read_choice(chosen)))
    views = [_view(model, catalog) for model in found]
    if json:
        print_json(views)
        return
    print_table(
        ["NAME", "PUBLISHER", "TASK", "PARAMETERS", "CONTEXT", "LICENSE", "WEIGHTS"],
        [
            [
                each.name,
                each.publisher,
                each.task,
                _count(each.parameters),
                f"{each.context_length:,}",
                each.license,
                _whereabouts(each),
            ]
            for each in views
        ],
    )


@app.command("show")
def show_model(
    name: str, json: JsonOption = False, server: ServerOption = None, home: HomeOption = None
) -> None:
    """Show one entry of the catalog."""
    from cupola.cli.installation import open_own_catalog
    from cupola.cli.remote import is_elsewhere

    if is_elsewhere(server, home):
        _show_remote(server, home, name, json)
        return
    catalog = open_own_catalog(home)
    view = _view(catalog.get_model(name), catalog)
    if json:
        print_json(view)
        return
    print_fields(
        [
            ("Name", view.name + (" (preview)" if view.preview else "")),
            ("Publisher", view.publisher),
            ("Collection", view.collection),
            ("Summary", view.summary),
            ("Task", view.task),
            ("License", f"{view.license}, {view.terms}"),
            ("Languages", ", ".join(view.languages)),
            ("Context length", f"{view.context_length:,} tokens"),
            ("Parameters", _count(view.parameters)),
            ("Capabilities", ", ".join(view.capabilities)),
            ("Tool syntax", view.tool_syntax or "-"),
            ("Extra parameters", ", ".join(view.extra_parameters) or "-"),
            ("Engines", ", ".join(view.engines)),
            ("Deployments", ", ".join(view.deployments)),
            ("Price", f"{view.price_input} in, {view.price_output} out, of 1,000 tokens"),
            *(("Weights", _describe(each)) for each in view.weights),
            ("On this machine", view.weights_path or _whereabouts(view)),
        ]
    )


@app.command("add")
def add_model(
    source: Annotated[
        str, typer.Argument(metavar="PATH|REPO", help="A file or folder, or OWNER/NAME of a hub.")
    ],
    name: Annotated[str, typer.Option("--name", metavar="N", help="What it is called here.")],
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Add a model of your own: a GGUF or safetensors file or folder, or a repository."""
    from cupola.cli.remote import connect

    place = Path(source).expanduser()
    local = place.exists() or source.startswith((".", "/", "~"))
    with connect(server, home) as client:
        if local:
            model = client.models.add(name, path=str(place.absolute()))
        else:
            model = client.models.add(name, repository=source)
    if json:
        print_json(model)
    else:
        print(f"{model.name} is in the catalog. Deploy it: cupola deploy {model.name} --name E")


@app.command("remove")
def remove_model(
    name: str, json: JsonOption = False, server: ServerOption = None, home: HomeOption = None
) -> None:
    """Remove an entry that was added. Its weights stay where they are."""
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        client.models.remove(name)
    print_done(json, name, "removed", f"{name} is in the catalog no more.")


def _list_remote(
    server: str | None, home: Path | None, chosen: Mapping[str, Any], json: bool
) -> None:
    """Of a server on another machine, which has a catalog of its own."""
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        models = [*client.models.list(**chosen)]
    if json:
        print_json(models)
        return
    print_table(
        ["NAME", "PUBLISHER", "TASK", "PARAMETERS", "CONTEXT", "LICENSE", "FITS"],
        [
            [
                each.name,
                each.publisher,
                each.task,
                _count(each.parameters),
                f"{each.context_length:,}",
                each.license,
                {True: "yes", False: "no", None: "unknown"}[each.fits],
            ]
            for each in models
        ],
    )


def _show_remote(server: str | None, home: Path | None, name: str, json: bool) -> None:
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        model = client.models.get(name)
    if json:
        print_json(model)
        return
    print_fields(
        [
            ("Name", model.name + (" (preview)" if model.preview else "")),
            ("Publisher", model.publisher),
            ("Collection", model.collection),
            ("Summary", model.summary),
            ("Task", model.task),
            ("License", f"{model.license}, {model.terms}"),
            ("Context length", f"{model.context_length:,} tokens"),
            ("Parameters", _count(model.parameters)),
            ("Capabilities", ", ".join(model.capabilities)),
            ("Deployments", ", ".join(model.deployments)),
            ("Price", f"{model.price_input} in, {model.price_output} out, of 1,000 tokens"),
        ]
    )


def _read_choice(chosen: Mapping[str, str | None]) -> dict[str, Any]:
    """What the catalog is filtered by. Raises: BadParameter, for a task that there is not."""
    from cupola.catalog.model import Capability, Task

    read: dict[str, Any] = dict(chosen)
    kinds: Mapping[str, type[StrEnum]] = {"task": Task, "capability": Capability}
    for name, kind in kinds.items():
        if (word := chosen[name]) is None:
            continue
        try:
            read[name] = kind(word.casefold())
        except ValueError:
            known = ", ".join(each.value for each in kind)
            raise typer.BadParameter(f"--{name} is one of {known}.") from None
    return read


def _view(model: "Model", catalog: "Catalog") -> ModelView:
    file = next((weights.files[0] for weights in model.weights if weights.files), None)
    found = catalog.find_weights(model)
    return ModelView(
        name=model.name,
        publisher=model.publisher,
        collection=model.collection,
        summary=model.summary,
        task=model.task,
        license=model.license,
        languages=model.languages,
        context_length=model.context_length,
        parameters=model.parameters,
        capabilities=sorted(model.capabilities),
        engines=model.engines,
        default_temperature=model.default_temperature,
        weights_file=file.name if file else None,
        weights_size=file.size if file else None,
        weights_sha256=file.sha256 if file else None,
        terms=model.terms,
        preview=model.preview,
        deployments=model.deployments,
        tool_syntax=model.tool_syntax,
        chat_template=model.chat_template,
        extra_parameters=model.extra_parameters,
        price_input=str(model.price.input),
        price_output=str(model.price.output),
        architecture=asdict(model.architecture) if model.architecture else None,
        weights=_view_weights(model),
        weights_path=str(found.path) if found else None,
    )


def _view_weights(model: "Model") -> Sequence[WeightsView]:
    return [
        WeightsView(
            quantisation=weights.quantisation,
            format=weights.format,
            repository=weights.repository,
            revision=weights.revision,
            gated=weights.gated,
            files=[asdict(file) for file in weights.files],
            least_memory=model.least_memory(weights.quantisation),
        )
        for weights in model.weights
    ]


def _whereabouts(view: ModelView) -> str:
    if view.weights_path:
        return "here"
    return "not on this machine" if view.weights else "closed"


def _describe(weights: WeightsView) -> str:
    """One line for people."""
    names = [file["name"] for file in weights.files] or [f"{weights.format} files"]
    origin = f" of {weights.repository}" if weights.repository else ""
    memory = weights.least_memory
    needs = f", at least {memory / _GIB:.1f} GiB of memory" if memory else ""
    return f"{weights.quantisation}: {', '.join(names)}{origin}{needs}"


def _count(number: int | None) -> str:
    """`4.6 million` and the like, for people."""
    if number is None:
        return "unknown"
    if number >= 1_000_000_000:
        return f"{number / 1e9:.1f} billion"
    return f"{number / 1e6:.1f} million"
