"""LabelRefusals: nodes whose labels cannot be written, in one sentence."""

import pytest

from coordinator.kube.errors import Forbidden, Invalid, KubeError, Status, unanswered
from coordinator.labels.refusals import LabelRefusals
from nicfleet.reasons import Finding, Reason

RIGHTS = "give nicfleet's ServiceAccount the rights that are shipped with it"


def no_right(node: str) -> KubeError:
    message = f'nodes "{node}" is forbidden: User "x" cannot patch resource "nodes"'
    return Forbidden("apply", f"Node {node}", Status(code=403, message=message))


def not_admitted(node: str) -> KubeError:
    message = f"nodes \"{node}\" is forbidden: ValidatingAdmissionPolicy 'p' denied request: hands off"
    return Invalid("apply", f"Node {node}", Status(code=422, message=message))


@pytest.mark.parametrize(
    ("errors", "message", "nodes"),
    [
        pytest.param(
            {"n-1": no_right("n-1")},
            "the labels of n-1 are not written: cannot apply Node n-1: "
            f'nodes "n-1" is forbidden: User "x" cannot patch resource "nodes"; {RIGHTS}',
            ("n-1",),
            id="a-right-is-missing",
        ),
        pytest.param(
            {"n-1": not_admitted("n-1")},
            'the labels of n-1 are not written: cannot apply Node n-1: nodes "n-1" is forbidden: '
            "ValidatingAdmissionPolicy 'p' denied request: hands off; "
            "make what refuses it let nicfleet's ServiceAccount change labels of Nodes",
            ("n-1",),
            id="admission-refuses",
        ),
        pytest.param(
            {"n-1": unanswered("apply", "Node n-1")},
            "the labels of n-1 are not written: cannot apply Node n-1: "
            "nothing came in time, though the API server answers other requests; "
            "look at the cluster's admission webhooks: "
            "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
            ("n-1",),
            id="a-webhook-hangs",
        ),
        pytest.param(
            {name: no_right(name) for name in ("n-3", "n-2", "n-4", "n-6", "n-5", "n-7")}
            | {"n-1": not_admitted("n-1")},
            "the labels of n-2, n-3, n-4, n-5, n-6 and 1 more are not written: cannot apply Node n-2: "
            f'nodes "n-2" is forbidden: User "x" cannot patch resource "nodes"; {RIGHTS}',
            ("n-2", "n-3", "n-4", "n-5", "n-6", "n-7"),
            id="of-several-causes-the-commonest",
        ),
    ],
)
def test_the_sentence(errors: dict[str, KubeError], message: str, nodes: tuple[str, ...]) -> None:
    refusals = LabelRefusals()
    for node, error in errors.items():
        refusals.note(node, error)

    assert refusals.of_all() == Finding(Reason.LabelsRefused, message, nodes)


def test_what_is_written_in_the_end_is_forgotten() -> None:
    refusals = LabelRefusals()
    refusals.note("n-1", no_right("n-1"))
    assert refusals.of("n-1") == refusals.of_all()

    refusals.forget("n-1")

    assert refusals.of("n-1") is None
    assert refusals.of_all() is None
