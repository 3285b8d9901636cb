"""A coordinator that may not ask whether this is OpenShift decides nothing, and says so."""

from aiohttp import web

from coordinator.kube.objects import CLUSTER_VERSION
from tests.integration.coordinator.proxy import Answer
from tests.integration.system.conftest import Behind
from tests.integration.system.waiting import eventually

REFUSED = Answer(403, {"kind": "Status", "message": "clusterversions is forbidden"})


def test_it_is_not_ready_until_it_knows(behind: Behind) -> None:
    coordinator = behind.product.coordinator
    behind.network.answer = _refuse
    coordinator.process.start()

    def why() -> str:
        return str(coordinator.logged("health changed")[-1]["why"])

    assert eventually(lambda: "forbidden" in why() and why()) == (
        "it is not known whether this is OpenShift: cannot list clusterversions: clusterversions is forbidden"
    )
    assert not coordinator.ready

    behind.network.answer = lambda request: None
    eventually(lambda: coordinator.ready)


def _refuse(request: web.Request) -> Answer | None:
    return REFUSED if request.path.endswith(f"/{CLUSTER_VERSION.plural}") else None
