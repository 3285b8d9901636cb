"""What states see of the cluster, before anything has been looked up for them."""

import pytest

from coordinator.settings import read
from coordinator.states.cluster import OpenShift
from coordinator.surroundings import cluster_of

OPENSHIFT = OpenShift(proxy={}, trusted_ca=False, toolkits={})


@pytest.mark.parametrize(
    ("given", "openshift", "expected"),
    [
        pytest.param([], None, "/opt/cni/bin", id="kubernetes"),
        pytest.param([], OPENSHIFT, "/var/lib/cni/bin", id="openshift"),
        pytest.param(["--cni-bin-dir=/own"], OPENSHIFT, "/own", id="given"),
    ],
)
def test_where_cni_plugins_are(given: list[str], openshift: OpenShift | None, expected: str) -> None:
    assert cluster_of(read([*given, "--insecure"], {}), openshift).cni_bin_dir == expected
