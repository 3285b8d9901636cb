"""A status that could not be written is written later, also when all is ready and nothing else happens."""

from http import HTTPStatus
from typing import Any

import pytest
from aiohttp import web

from nicfleet import names
from tests.integration.coordinator.proxy import Answer
from tests.integration.system.conftest import Behind
from tests.integration.system.fleet import WITH_DRIVER
from tests.integration.system.product import sections
from tests.integration.system.waiting import eventually

NETWORKS = f"/apis/{names.API_GROUP}/{names.API_VERSION}/macvlannetworks"
NETWORK: dict[str, Any] = {
    "apiVersion": f"{names.API_GROUP}/{names.API_VERSION}",
    "kind": "MacvlanNetwork",
    "metadata": {"name": "late"},
    "spec": {"networkNamespace": "default"},
}


@pytest.mark.parametrize(
    "code", [HTTPStatus.CONFLICT, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE]
)
def test_a_status_that_is_refused_for_a_while_comes_by_itself(behind: Behind, code: HTTPStatus) -> None:
    product, refused = behind.product, set[str]()

    def refuse(request: web.Request) -> Answer | None:
        if request.method != "PUT" or not request.path.endswith("/status"):
            return None
        refused.add(request.path.split("/")[-3])
        return Answer(code, {"kind": "Status", "status": "Failure", "code": code, "message": "not now"})

    behind.network.answer = refuse
    product.register("node")
    product.coordinator.start()
    product.simulated.report("node", WITH_DRIVER)
    product.apply(**sections("ofedDriver"))
    product.plane.apply(NETWORK)
    try:
        eventually(lambda: product.judged() == "ready", within=60)
        eventually(lambda: refused == {"nicclusterpolicies", "macvlannetworks"})
        assert product.api.status() == {}

        behind.network.answer = lambda request: None

        product.wait_ready()
        eventually(lambda: product.api.get(f"{NETWORKS}/late")["status"]["state"] == "ready", within=60)
    finally:
        product.api.delete(f"{NETWORKS}/late")
