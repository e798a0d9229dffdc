"""The OpenAPI document of an endpoint, written from the tables by which requests are served.

Paths come from `gateway.address`, the fields of bodies from each dialect's table, so the document
says neither more nor less than what is there.
"""

from collections.abc import Mapping
from typing import Any

import cupola
from cupola.gateway.address import ENDPOINT, POSTED, V1, Resource
from cupola.gateway.dialects import (
    AZURE,
    FILL,
    FOUNDRY,
    OPEN,
    TEXT_AZURE,
    TEXT_OPEN,
    Dialect,
)
from cupola.gateway.directory import Served
from cupola.gateway.plan import can_fill
from cupola.gateway.replies import SCHEMAS as REPLIES
from cupola.wire.azure.decode import HEADER, POLICIES
from cupola.wire.meanings import MEANINGS
from cupola.wire.schemas import SCHEMAS

_SUMMARY: Mapping[Resource, str] = {
    Resource.ENDPOINT_HEALTH: "Whether a replica is ready",
    Resource.INFO: "The model behind this endpoint",
    Resource.CHAT_AZURE: "Chat completion, as clients of the Azure AI Model Inference API call it",
    Resource.CHAT_FOUNDRY: "The same, also with Mistral's own names, as MistralAzure calls it",
    Resource.CHAT_V1: "Chat completion, as clients of OpenAI and Mistral call it",
    Resource.TEXT_AZURE: "Text completion, as clients of the Azure AI Model Inference API call it",
    Resource.TEXT_V1: "Text completion, as clients of OpenAI call it",
    Resource.FILL_V1: "Fill-in-the-middle, as clients of Mistral call it",
    Resource.MODELS: "The models of this endpoint: one",
    Resource.MODEL: "One model",
    Resource.OPENAPI: "This document",
    Resource.DOCS: "This document as a page",
}
_REPLY: Mapping[Resource, tuple[str, Mapping[str, Any]]] = {
    Resource.ENDPOINT_HEALTH: ("text/plain", {"const": "healthy"}),
    Resource.INFO: ("application/json", {"$ref": "#/components/schemas/ModelInfo"}),
    Resource.MODELS: ("application/json", {"$ref": "#/components/schemas/ModelList"}),
    Resource.MODEL: ("application/json", {"$ref": "#/components/schemas/Model"}),
    Resource.OPENAPI: ("application/json", {"type": "object"}),
    Resource.DOCS: ("text/html", {"type": "string"}),
}
_KEYLESS = frozenset((Resource.ENDPOINT_HEALTH, Resource.OPENAPI, Resource.DOCS))
_BODIES: Mapping[Resource, tuple[str, Dialect]] = {
    Resource.CHAT_AZURE: ("AzureChatRequest", AZURE),
    Resource.CHAT_FOUNDRY: ("FoundryChatRequest", FOUNDRY),
    Resource.CHAT_V1: ("ChatRequest", OPEN),
    Resource.TEXT_AZURE: ("AzureTextRequest", TEXT_AZURE),
    Resource.TEXT_V1: ("TextRequest", TEXT_OPEN),
    Resource.FILL_V1: ("FillRequest", FILL),
}
_COMPLETIONS = {
    False: ("ChatCompletion", "ChatCompletionChunk"),
    True: ("TextCompletion", "TextCompletionChunk"),
}
_REFUSALS: Mapping[int, str] = {
    400: "The request cannot be served as written; the message says why.",
    401: "No key, or not a valid one.",
    404: "No such endpoint, as far as this key may know.",
    408: "The body took too long to arrive.",
    413: "The body is too large.",
    422: "A field has a wrong type or value, or the model lacks it.",
    502: "The engine failed, and did so again on other replicas.",
    503: "No replica is ready; Retry-After says when to ask again.",
}


def describe_endpoint(served: Served, url: str) -> dict[str, Any]:
    """The document of one endpoint, whose address is `url`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": served.endpoint,
            "summary": f"{served.model}, served by Cupola",
            "version": cupola.__version__,
        },
        "servers": [{"url": url}],
        "security": [{"bearer": []}, {"apiKey": []}],
        "paths": {
            **{
                f"/{path}": _item(path, resource)
                for path, resource in ENDPOINT.items()
                if resource is not Resource.FILL_V1 or can_fill(served)
            },
            "/v1/models/{id}": _item("v1/models/{id}", Resource.MODEL),
        },
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "api-key"},
            },
            "schemas": {
                **{name: _body(resource) for resource, (name, _) in _BODIES.items()},
                **SCHEMAS,
                **REPLIES,
            },
        },
    }


def _item(path: str, resource: Resource) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": path.translate({47: "_", 46: "_", 123: None, 125: None}) or "health",
        "summary": _SUMMARY[resource],
        "parameters": _parameters(resource),
        "responses": _responses(resource),
    }
    if resource in _KEYLESS:
        operation["security"] = []
    if resource in POSTED:
        reference = {"$ref": f"#/components/schemas/{_BODIES[resource][0]}"}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": reference}},
        }
    return {"post" if resource in POSTED else "get": operation}


def _parameters(resource: Resource) -> list[dict[str, Any]]:
    if resource is Resource.MODEL:
        return [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    if resource not in POSTED - V1:
        return []
    return [
        {
            "name": HEADER,
            "in": "header",
            "description": "What becomes of fields that the schema lacks: refused, removed, or "
            "handed to the model.",
            "schema": {"type": "string", "enum": POLICIES, "default": POLICIES[0]},
        },
        {
            "name": "api-version",
            "in": "query",
            "description": "Any; it changes nothing.",
            "schema": {"type": "string"},
        },
    ]


def _responses(resource: Resource) -> dict[str, Any]:
    if resource in POSTED:
        whole, chunk = _COMPLETIONS[_BODIES[resource][1].shape is TEXT_OPEN.shape]
        good = {
            "application/json": {"schema": {"$ref": f"#/components/schemas/{whole}"}},
            "text/event-stream": {"schema": {"$ref": f"#/components/schemas/{chunk}"}},
        }
        refused = {str(status): {"description": said} for status, said in _REFUSALS.items()}
        return {"200": {"description": "The reply, or its chunks.", "content": good}, **refused}
    kind, schema = _REPLY[resource]
    reply = {"description": "OK", "content": {kind: {"schema": schema}}}
    if resource is Resource.ENDPOINT_HEALTH:
        return {"200": reply, "503": {"description": "No replica is ready; the text says why."}}
    known = [] if resource in _KEYLESS else [401]
    return {"200": reply, **{str(n): {"description": _REFUSALS[n]} for n in (*known, 404)}}


def _body(resource: Resource) -> dict[str, Any]:
    fields = _BODIES[resource][1].fields
    return {
        "type": "object",
        "required": ["messages" if "messages" in fields else "prompt"],
        "properties": {
            name: {"description": MEANINGS[name], **field.schema}
            for name, field in sorted(fields.items())
        },
        **({"additionalProperties": False} if resource in V1 else {}),
    }
