"""The API server's question whether an object may be written, and our answer. Pure: bytes in, bytes out.

AdmissionReview v1, as in the Kubernetes documentation ("Dynamic Admission Control"). The form of a refusal is
upstream's: mistakes are 422 Invalid with a cause for each field, conflicts with other policies 403 Forbidden.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from coordinator.admission.cautions import warnings
from coordinator.admission.conflicts import conflicts_of
from coordinator.admission.rules import problems
from coordinator.networks.definition import network_problems
from coordinator.networks.warnings import warnings as network_warnings
from coordinator.nodes import KubeNode
from coordinator.objects.served import ServedPolicy
from coordinator.policy import InvalidSpec, NicClusterPolicy, NicNodePolicy
from coordinator.policy.invalid import unreadable
from coordinator.policy.networks import HostDeviceNetwork, IPoIBNetwork, MacvlanNetwork, Network
from nicfleet.names import API_GROUP, POLICY_NAME

API_VERSION: Final = "admission.k8s.io/v1"
_JUDGED: Final = frozenset({"CREATE", "UPDATE"})
_LONGEST_WARNING: Final = 256
"""The API server cuts a warning there."""

Judged = NicClusterPolicy | NicNodePolicy | Network

MODELS: Final[Mapping[str, type[Judged]]] = {
    "HostDeviceNetwork": HostDeviceNetwork,
    "NicClusterPolicy": NicClusterPolicy,
    "NicNodePolicy": NicNodePolicy,
    "MacvlanNetwork": MacvlanNetwork,
    "IPoIBNetwork": IPoIBNetwork,
}
"""The kinds that are judged."""


class NotAReview(ValueError):
    """The body of a request is no AdmissionReview of the kind that its path is for."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the cluster at this moment: the policies that are acted on, the nodes, and what kind it is."""

    policies: Callable[[], Iterable[ServedPolicy]]
    nodes: Callable[[], Iterable[KubeNode]]
    openshift: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the object may be written. Refused with `problems`, or else with `conflicts`."""

    problems: tuple[InvalidSpec, ...] = ()
    conflicts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        return not self.problems and not self.conflicts

    @property
    def refusal(self) -> str:
        """Every reason in one text; empty when it is allowed."""
        return "; ".join((*(problem.sentence for problem in self.problems), *self.conflicts))


class Request(msgspec.Struct, frozen=True, rename="camel"):
    """What of an AdmissionReview's request decides something."""

    uid: str
    operation: str
    name: str = ""
    sub_resource: str = ""
    object: dict[str, Any] | None = None
    old_object: dict[str, Any] | None = None

    @property
    def object_name(self) -> str:
        """The API server may have made it up, and then has it in the object only."""
        metadata = (self.object or {}).get("metadata")
        return self.name or str(metadata.get("name", "") if isinstance(metadata, dict) else "")

    @property
    def changes_nothing(self) -> bool:
        """An update that leaves the spec as it is must pass, or no stored object that breaks a newer rule could be
        labelled, annotated or let go of."""
        old, new = self.old_object, self.object
        return self.operation == "UPDATE" and old is not None and new is not None and old.get("spec") == new.get("spec")


class _Review(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    kind: str
    request: Request


_decode: Final = msgspec.json.Decoder(_Review).decode


def read_request(body: bytes) -> Request:
    """Raises NotAReview."""
    try:
        review = _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise NotAReview(f"the body is no AdmissionReview: {error}") from error
    if (review.api_version, review.kind) != (API_VERSION, "AdmissionReview"):
        raise NotAReview(f"the body is {review.kind} of {review.api_version}: send AdmissionReview of {API_VERSION}")
    return review.request


def judge(kind: str, request: Request, known: Known) -> Answer:
    """Decide about an object of this kind. Raises NotAReview when there is none."""
    if request.operation not in _JUDGED or request.sub_resource or request.changes_nothing:
        return Answer()
    if request.object is None or request.object.get("kind") != kind:
        raise NotAReview(f"the request has no {kind}")
    try:
        judged = MODELS[kind].model_validate(request.object)
    except ValidationError as error:
        return Answer(unreadable(error))
    if isinstance(judged, NicClusterPolicy | NicNodePolicy):
        return _judge_policy(judged, known)
    return _judge_network(judged)


def _judge_network(network: Network) -> Answer:
    if wrong := network_problems(network):
        return Answer(problems=wrong)
    told = network_warnings(network, ())  # what nodes say against it changes, and is in its status
    return Answer(warnings=tuple(finding.message[:_LONGEST_WARNING] for finding in told))


def _judge_policy(policy: NicClusterPolicy | NicNodePolicy, known: Known) -> Answer:
    openshift = known.openshift()
    told = tuple(sentence[:_LONGEST_WARNING] for sentence in warnings(policy, openshift=openshift))
    if wrong := problems(policy, openshift=openshift):
        return Answer(problems=wrong, warnings=told)
    served = ServedPolicy.of(policy)
    if isinstance(policy, NicClusterPolicy) and policy.metadata.name != POLICY_NAME:
        return Answer(warnings=told)  # it is not acted on, so it is in nobody's way
    found = conflicts_of(served, known.policies(), tuple(known.nodes()))
    return Answer(conflicts=tuple(conflict.message for conflict in found), warnings=told)


def written(kind: str, request: Request, answer: Answer) -> bytes:
    """The answer as an AdmissionReview."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": answer.allowed}
    if answer.warnings:
        response["warnings"] = answer.warnings
    if answer.problems:
        response["status"] = _invalid(kind, request.object_name, answer.problems)
    elif answer.conflicts:
        response["status"] = {
            "status": "Failure", "code": 403, "reason": "Forbidden", "message": answer.refusal,
        }  # fmt: skip
    review = {"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response}
    return json.dumps(review).encode()


def _invalid(kind: str, name: str, wrong: tuple[InvalidSpec, ...]) -> dict[str, Any]:
    sentences = [problem.sentence for problem in wrong]
    told = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    return {
        "status": "Failure",
        "code": 422,
        "reason": "Invalid",
        "message": f'{kind}.{API_GROUP} "{name}" is invalid: {told}',
        "details": {
            "group": API_GROUP,
            "kind": kind,
            "name": name,
            # kubectl shows "<field>: <message>" of each cause instead of the message above.
            "causes": [
                {"reason": "FieldValueInvalid", "field": problem.field, "message": f"{problem.problem}: {problem.fix}"}
                for problem in wrong
            ],
        },
    }
