"""What an endpoint serves, as `/info` and `/v1/models` say it."""

from collections.abc import Sequence
from typing import Any

from cupola.gateway.directory import Served
from cupola.gateway.plan import can_chat, can_fill
from cupola.kit.errors import NotFound


def describe_model(served: Served) -> dict[str, str]:
    """The reply to `/info`."""
    return {
        "model_name": served.model,
        "model_type": served.model_type,
        "model_provider_name": served.provider,
    }


def list_models(served: Sequence[Served]) -> dict[str, Any]:
    """The reply to `/v1/models`."""
    return {"object": "list", "data": [_card(one, served) for one in served]}


def get_model(served: Sequence[Served], name: str) -> dict[str, Any]:
    """The reply to `/v1/models/{id}`; the name of the model or of its endpoint will do."""
    for one in served:
        if name in (_id(one, served), one.endpoint, one.model):
            return _card(one, served)
    raise NotFound(f"There is no model '{name[:64]}' that this key may call. See /v1/models.")


def _id(one: Served, among: Sequence[Served]) -> str:
    """The model's name, unless several endpoints serve that model: then the endpoint's."""
    alike = sum(other.model == one.model for other in among)
    return one.model if alike == 1 else one.endpoint


def _card(one: Served, among: Sequence[Served]) -> dict[str, Any]:
    """Keys as Mistral's API has them; OpenAI's client needs the first four only."""
    profile = one.profile
    return {
        "id": _id(one, among),
        "object": "model",
        "created": one.created,
        "owned_by": one.provider,
        "capabilities": {
            "completion_chat": can_chat(one),
            "completion_fim": can_fill(one),
            "function_calling": profile.calls_tools,
            "fine_tuning": False,
            "vision": False,
        },
        "name": one.model,
        "description": None,
        "max_context_length": profile.context_length,
        "aliases": [one.endpoint],
        "deprecation": None,
        "default_model_temperature": one.default_temperature,
        "type": "base",
    }
