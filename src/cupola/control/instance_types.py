"""`/instance-types`: what instances of managed deployments may have."""

from typing import Annotated

from fastapi import APIRouter, Path, Response, status
from pydantic import Field

from cupola.control.authority import Administrator, Caller
from cupola.control.paging import AnyPage, Page, slice_after
from cupola.control.services import Parts
from cupola.control.shapes import Asked, Told
from cupola.deployments.model import InstanceType

router = APIRouter(tags=["instance types"])

_MOST_CORES = 4096
_MOST_MEMORY = 2**46
_MOST_GPUS = 1024
TypeName = Annotated[str, Path(description="A type's name.", examples=["small"], max_length=200)]


class NewInstanceType(Asked):
    """What one instance has."""

    cores: int = Field(ge=1, le=_MOST_CORES, examples=[2])
    memory: int = Field(ge=2**20, le=_MOST_MEMORY, description="Bytes.", examples=[8 * 2**30])
    gpus: int = Field(default=0, ge=0, le=_MOST_GPUS)


class InstanceTypeResource(Told):
    """A kind of instance."""

    name: str
    cores: int
    memory: int = Field(description="Bytes.")
    gpus: int


@router.get("/instance-types", summary="List instance types")
async def list_types(caller: Caller, services: Parts, page: AnyPage) -> Page[InstanceTypeResource]:
    types = await services.instance_types.list()

    async def read(after: str, limit: int) -> list[InstanceType]:
        return [*slice_after(types, lambda each: each.name, after, limit)]

    return await page.fetch(read, lambda each: each.name, _show)


@router.get("/instance-types/{name}", summary="Show an instance type")
async def get_type(name: TypeName, caller: Caller, services: Parts) -> InstanceTypeResource:
    return _show(await services.instance_types.get(name))


@router.put(
    "/instance-types/{name}",
    summary="Offer an instance type",
    responses={201: {"description": "It is new.", "model": InstanceTypeResource}},
)
async def put_type(
    name: TypeName, body: NewInstanceType, by: Administrator, services: Parts, response: Response
) -> InstanceTypeResource:
    """Instances that run stay as they are until they are started again."""
    offered = InstanceType(name, body.cores, body.memory, body.gpus)
    if await services.instance_types.put(by, offered):
        response.status_code = status.HTTP_201_CREATED
    return _show(offered)


@router.delete(
    "/instance-types/{name}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Offer an instance type no more",
)
async def delete_type(name: TypeName, by: Administrator, services: Parts) -> None:
    await services.instance_types.delete(by, name)


def _show(instance_type: InstanceType) -> InstanceTypeResource:
    return InstanceTypeResource(
        name=instance_type.name,
        cores=instance_type.cores,
        memory=instance_type.memory,
        gpus=instance_type.gpus,
    )
