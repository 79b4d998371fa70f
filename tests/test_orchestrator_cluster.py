"""What is known of a cluster before the first trial: requests that it cannot serve, and Ray Client."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import ray
from commands import clsweep, spec
from made import trial

from orchestrator.cluster import connected
from orchestrator.errors import ResourceError
from sweeps.trials import Resources

SMALL = {
    "Alive": True,
    "NodeID": "a1",
    "NodeManagerHostname": "small",
    "NodeManagerAddress": "10.0.0.1",
    "Resources": {"CPU": 4.0},
}
DEAD = {**SMALL, "Alive": False, "Resources": {}}


@pytest.fixture
def cluster(monkeypatch):
    """A cluster of a small node and a dead one, whose autoscaler can be said to run."""
    status = SimpleNamespace(active_nodes=[], idle_nodes=[])
    for name, value in {
        "init": lambda **_: None,
        "shutdown": lambda: None,
        "nodes": lambda: [SMALL, DEAD],
        "get_runtime_context": lambda: SimpleNamespace(gcs_address="10.0.0.1:6379"),
    }.items():
        monkeypatch.setattr(ray, name, value)
    monkeypatch.setattr("ray.autoscaler.v2.sdk.get_cluster_status", lambda _: status)
    return status


def node(kind: str) -> SimpleNamespace:
    return SimpleNamespace(node_id="a1", ray_node_type_name=kind)


def test_a_request_that_no_node_can_serve_is_refused_with_what_the_largest_has(cluster):
    cluster.active_nodes.append(node("node_a1"))  # Ray's own name, where there is no autoscaler
    large = [trial(resources=Resources(cpu=2, gpu=0.5))]
    with (
        pytest.raises(
            ResourceError, match=r"asks for cpu 2 and gpu 0\.5, but the largest node has cpu 4 and gpu 0$"
        ),
        connected(large),
    ):
        pass


def test_where_nodes_can_be_added_such_a_request_is_a_warning(cluster):
    cluster.idle_nodes.append(node("cpu-workers"))
    with connected([trial(resources=Resources(cpu=2, gpu=0.5)), trial()]) as warnings:
        [warning] = warnings
    assert "asks for cpu 2 and gpu 0.5" in warning
    assert "it waits until the cluster's autoscaler adds one that has" in warning


@pytest.mark.usefixtures("cluster")
def test_a_request_that_a_node_can_serve_is_no_matter():
    with connected([trial(resources=Resources(cpu=4))]) as warnings:
        assert warnings == []


def test_ray_client_is_refused_with_the_command_that_submits_a_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["clsweep", "run", "tiny.yaml", "--address", "ray://head:10001"])
    refused = clsweep("run", spec(), "--address", "ray://head:10001")
    assert refused.exit_code == 2
    assert "Ray Client is not supported, since results would be written on the disk" in refused.stderr
    assert refused.stderr.endswith(
        "  ray job submit --address http://head:8265 --working-dir . -- "
        "clsweep run tiny.yaml --address auto\n"
    )
