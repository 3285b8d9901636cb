"""OpenShift as a plan sees it: what the coordinator sees, and what an account with fewer rights does not."""

from collections.abc import Iterator

import pytest

from cli.plan.live import openshift_of
from coordinator.kube.client import Kube
from coordinator.kube.objects import CLUSTER_VERSION, IMAGE_STREAM, PROXY
from coordinator.states.cluster import OpenShift
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.test_openshift import TOOLKIT, VERSION, crd, tags, thing

ACCOUNT = "plan-without-rights"


@pytest.fixture(scope="module")
def openshift(cluster: ControlPlane) -> Iterator[ControlPlane]:
    crds = [crd(kind) for kind in (CLUSTER_VERSION, PROXY, IMAGE_STREAM)]
    names = [each["metadata"]["name"] for each in crds]
    cluster.serve(*crds)
    cluster.kubectl("create", "namespace", "openshift")
    cluster.apply(thing(PROXY, "cluster", {"httpsProxy": "http://p:3128", "trustedCA": {"name": "user-ca"}}))
    cluster.apply(thing(PROXY, "another", {"httpProxy": "http://elsewhere"}))
    cluster.apply(thing(IMAGE_STREAM, "driver-toolkit", tags((VERSION, TOOLKIT)), "openshift"))
    cluster.kubectl("create", "serviceaccount", ACCOUNT, "--namespace=default")
    yield cluster
    cluster.kubectl("delete", "serviceaccount", ACCOUNT, "--namespace=default")
    cluster.remove("crd", *names)
    cluster.remove("namespace", "openshift")


async def test_any_other_kubernetes(cluster: ControlPlane) -> None:
    """Before the fixture below has made it OpenShift."""
    kube = await Kube.connect(cluster.kubeconfig)
    assert await openshift_of(kube, use_toolkit=True) is None
    await kube.close()


async def test_proxy_certificates_and_toolkits(openshift: ControlPlane) -> None:
    kube = await Kube.connect(openshift.kubeconfig)
    assert await openshift_of(kube, use_toolkit=False) == OpenShift(
        proxy={"HTTPS_PROXY": "http://p:3128"}, trusted_ca=True, toolkits={VERSION: TOOLKIT}, use_toolkit=False
    )
    await kube.close()


async def test_what_may_not_be_read_is_not_known(openshift: ControlPlane) -> None:
    """And not taken for absent: states that depend on it then leave what is there as it is."""
    kube = await Kube.connect(openshift.service_account_kubeconfig("default", ACCOUNT))
    assert await openshift_of(kube, use_toolkit=True) == OpenShift(proxy=None, toolkits=None)
    await kube.close()
