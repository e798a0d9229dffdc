"""Endpoints as people and programs outside see them: what `--json` prints.

The fields, their names and their order are promised in docs/reference/cli.md.
"""

from dataclasses import dataclass

from cupola.deployments.model import Endpoint, EndpointKind, EndpointState
from cupola.ids import EndpointName, ModelName
from cupola.keys.model import KeyPair, Lineage
from cupola.keys.service import Keyring


@dataclass(frozen=True, slots=True)
class EndpointSummary:
    """One line of a list; it holds no key."""

    name: EndpointName
    kind: EndpointKind
    model: ModelName
    state: EndpointState
    target_uri: str
    """What clients take as their endpoint or base URL."""


@dataclass(frozen=True, slots=True)
class EndpointDetail:
    """All there is to know to call an endpoint, keys included."""

    name: EndpointName
    kind: EndpointKind
    model: ModelName
    state: EndpointState
    target_uri: str
    primary_key: str
    secondary_key: str


def summarise(endpoint: Endpoint, state: EndpointState, base_url: str) -> EndpointSummary:
    """`base_url` is the server's, as `http://127.0.0.1:8100`."""
    return EndpointSummary(
        name=endpoint.name,
        kind=endpoint.kind,
        model=endpoint.model,
        state=state,
        target_uri=f"{base_url}/endpoints/{endpoint.name}",
    )


def detail(summary: EndpointSummary, keys: KeyPair) -> EndpointDetail:
    """`summary` with the keys."""
    return EndpointDetail(
        name=summary.name,
        kind=summary.kind,
        model=summary.model,
        state=summary.state,
        target_uri=summary.target_uri,
        primary_key=keys.primary,
        secondary_key=keys.secondary,
    )


def get_keys(endpoint: Endpoint, keyring: Keyring) -> KeyPair:
    """The endpoint's keys at their current generations."""
    lineage = Lineage(endpoint.name, endpoint.project, endpoint.key_seed)
    return keyring.get_pair(lineage, endpoint.primary_generation, endpoint.secondary_generation)
