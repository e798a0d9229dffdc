"""What may be wanted of endpoints: laws of the pure checks."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.catalog.service import Catalog
from cupola.catalog.store import EntryFiles, WeightFolders
from cupola.deployments import rules
from cupola.deployments.changes import make_endpoint
from cupola.deployments.model import (
    Deployment,
    EndpointKind,
    InstanceType,
    Scale,
    Spec,
)
from cupola.ids import DeploymentName, EndpointName, ModelName
from cupola.kit.errors import Conflict, Malformed, Several

MODEL = Catalog(EntryFiles(), WeightFolders(Path("/nowhere"))).get_model("Cupola-Pilot")
DEPLOYMENTS = [
    Deployment(DeploymentName(name), Spec(MODEL.name), Scale(), created=0)
    for name in ("blue", "green", "red")
]
TYPES = {"small": InstanceType("small", 1, 2**30), "large": InstanceType("large", 8, 2**33)}


@given(
    st.dictionaries(
        st.sampled_from(["blue", "green", "red", "grey"]).map(DeploymentName),
        st.integers(-10, 110),
    )
)
def test_traffic_is_all_or_nothing(traffic: dict[DeploymentName, int]):
    """It passes exactly if it is per cent of what there is, together 100 or 0."""
    good = (
        "grey" not in traffic
        and all(0 <= share <= 100 for share in traffic.values())
        and sum(traffic.values()) in (0, 100)
    )

    assert good == (not list(rules.check_traffic(traffic, DEPLOYMENTS)))


@given(st.integers(-2, 60), st.integers(-2, 60))
def test_replicas_have_a_floor_and_a_ceiling(minimum: int, maximum: int):
    """Serverless from nought, managed a fixed number of a type that there is."""
    scale = Scale(minimum, maximum)
    serverless = 0 <= minimum <= maximum and 1 <= maximum <= 50
    managed = minimum == maximum and 1 <= maximum <= 50

    assert serverless == (not list(rules.check_replicas(scale)))
    assert managed == (
        not list(rules.check_instances(replace(scale, instance_type="small"), TYPES))
    )
    assert list(rules.check_instances(replace(scale, instance_type="huge"), TYPES))
    assert list(rules.check_instances(scale, TYPES))


def test_all_faults_are_told_at_once():
    """So that they can be mended at once; a single one as itself."""
    faults = [*rules.check_name("No", ("name",)), *rules.check_instances(Scale(0, 0), TYPES)]
    with pytest.raises(Several) as caught:
        rules.refuse(faults)
    with pytest.raises(Malformed) as alone:
        rules.refuse(faults[:1])
    rules.refuse([])

    assert [("name",), ("instances",), ("instance_type",)] == [f.path for f in caught.value.faults]
    assert not isinstance(alone.value, Several)


def test_cores_are_counted_once():
    """Of managed deployments without an end, by type."""
    first = Deployment(DeploymentName("blue"), Spec(MODEL.name), Scale(3, 3, "large"), created=0)
    second = replace(first, name=DeploymentName("green"), scale=Scale(2, 2, "small"))
    serverless = make_endpoint(EndpointName("one"), EndpointKind.SERVERLESS, MODEL.name, 0)
    managed = replace(serverless, kind=EndpointKind.MANAGED, deployments=(first, second))

    assert 26 == rules.count_cores([managed, serverless], TYPES)
    assert 0 == rules.count_cores([replace(managed, expires=1), serverless], TYPES)
    rules.check_quota(used=26, wanted=4, quota=30)
    with pytest.raises(Conflict, match=r"needs 5 cores; the project uses 26 of its 30, so 4 are"):
        rules.check_quota(used=26, wanted=5, quota=30)


def test_there_is_room_for_twenty():
    """Deployments behind one endpoint."""
    endpoint = make_endpoint(EndpointName("one"), EndpointKind.MANAGED, MODEL.name, 0)
    [deployment] = endpoint.deployments
    rules.check_count(replace(endpoint, deployments=(deployment,) * 19))
    with pytest.raises(Conflict, match="20 deployments"):
        rules.check_count(replace(endpoint, deployments=(deployment,) * 20))


def test_a_serverless_model_is_served_once():
    """In a project; managed endpoints of it do not count."""
    serverless = make_endpoint(EndpointName("one"), EndpointKind.SERVERLESS, MODEL.name, 0)
    rules.check_twins([replace(serverless, kind=EndpointKind.MANAGED)], MODEL)
    rules.check_twins([serverless], replace(MODEL, name=ModelName("Other")))
    with pytest.raises(Conflict, match="one"):
        rules.check_twins([serverless], MODEL)
