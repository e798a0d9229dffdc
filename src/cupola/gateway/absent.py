"""Routes of the API whose task no model here has: 404, saying what is served instead.

The key comes first, as everywhere: strangers are not told what an endpoint serves.
"""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from cupola.gateway.address import Resource
from cupola.gateway.directory import Served
from cupola.kit.errors import NotFound

TASKS: Mapping[Resource, str] = {
    Resource.EMBEDDINGS: "embeddings",
    Resource.IMAGE_EMBEDDINGS: "image-embeddings",
    Resource.IMAGES: "image-generation",
}
"""In the words in which `/info` names what a model does."""


def refuse_task(task: str, served: Sequence[Served]) -> NoReturn:
    """Say that none of `served`, all that the caller's key may call here, does `task`."""
    does = ", ".join(f"'{one.endpoint}' serves {one.model_type} ({one.model})" for one in served)
    raise NotFound(f"No model here does {task}: {does or 'there is no endpoint'}.")
