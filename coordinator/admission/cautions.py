"""What is accepted and will not do what it seems to say: told, and never a reason to refuse. Pure.

The API server takes these fields as they are, and stored policies have them. Some make it refuse the workloads that
carry them, later on and in its own words; the sentences here name the field.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from coordinator.admission.label_syntax import is_label_key, is_label_selector, is_label_value
from coordinator.admission.rules import made_up_cluster, states_of
from coordinator.objects.desired import section
from coordinator.objects.served import ServedPolicy
from coordinator.policy import (
    EnvVar,
    InvalidSpec,
    NicClusterPolicy,
    NicNodePolicy,
    NodeAffinity,
    OfedDriver,
    Toleration,
)
from coordinator.policy.scheduling import NodeSelectorRequirement, NodeSelectorTerm
from coordinator.states import DROPPED, NotYet, State
from coordinator.states.cluster import Cluster
from coordinator.verdicts.view import StateView
from nicfleet.names import POLICY_NAME

_DRIVER: Final = "state-OFED"
_FIRMWARE: Final = "state-nic-configuration-operator"

_TOLERATION_OPERATORS: Final = ("Exists", "Equal")
_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ENV_NAME: Final = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_LONGEST_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Caution:
    """One sentence, and the state that it is about; None when it is about all that the policy asks for."""

    sentence: str
    state: str | None = None


def warnings(policy: NicClusterPolicy | NicNodePolicy, *, openshift: bool = False) -> tuple[str, ...]:
    """All that whoever writes a policy should know: what has no effect, and what will go wrong elsewhere."""
    served = ServedPolicy.of(policy)
    cluster = made_up_cluster(served, openshift=openshift)
    caveats = (caveat for state in states_of(served) for caveat in _caveats(state, served, cluster))
    dropped = (sentence for path, _, sentence in DROPPED if section(served.spec, path) is not None)
    told = (caution.sentence for caution in cautions(served))
    return tuple(dict.fromkeys(chain(_of_the_object(policy), dropped, caveats, told)))


def cautions(policy: ServedPolicy) -> tuple[Caution, ...]:
    """What no state tells of a policy."""
    spec = policy.spec
    everywhere = chain(
        misplacing(policy),
        _tolerations("spec.deploymentTolerations", spec.deployment_tolerations),
        _affinity("spec.deploymentNodeAffinity", spec.deployment_node_affinity),
    )
    driver = _driver("spec.ofedDriver", spec.ofed_driver) if spec.ofed_driver else ()
    firmware = spec.nic_configuration_operator
    variables = _env("spec.nicConfigurationOperator.env", firmware.env) if firmware else ()
    return (
        *map(Caution, everywhere),
        *(Caution(sentence, _DRIVER) for sentence in driver),
        *(Caution(sentence, _FIRMWARE) for sentence in variables),
    )


def misplacing(policy: ServedPolicy) -> tuple[str, ...]:
    """What of a policy makes the API server refuse its DaemonSets for where they are to run."""
    return (
        *_node_selector("spec.nodeSelector", policy.scope.node_selector),
        *_tolerations("spec.tolerations", policy.spec.tolerations),
        *_affinity("spec.nodeAffinity", policy.spec.node_affinity),
    )


def by_state(cautions: Iterable[Caution], asked: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Where a status tells them: each at its state, and at the first one asked for what is about all of them."""
    found: dict[str, tuple[str, ...]] = {}
    for caution in cautions:
        for state in (caution.state,) if caution.state else asked[:1]:
            found[state] = (*found.get(state, ()), caution.sentence)
    return found


def cautioned(policy: ServedPolicy, views: tuple[StateView, ...]) -> tuple[StateView, ...]:
    """The views of a policy's states with what there is to say of it, but for what keeps a state back already."""
    found = by_state(cautions(policy), [view.name for view in views if view.asked])
    return tuple(replace(view, caveats=(*view.caveats, *_untold(view, found.get(view.name, ())))) for view in views)


def _untold(view: StateView, sentences: Iterable[str]) -> Iterator[str]:
    problem = view.problem.message if view.problem else ""
    return (sentence for sentence in sentences if sentence not in problem)


def _caveats(state: State, policy: ServedPolicy, cluster: Cluster) -> tuple[str, ...]:
    try:
        return state.caveats(policy.spec, cluster)
    except (InvalidSpec, NotYet):
        return ()  # told as what it is


def _of_the_object(policy: NicClusterPolicy | NicNodePolicy) -> Iterator[str]:
    if isinstance(policy, NicClusterPolicy):
        if policy.metadata.name != POLICY_NAME:
            yield f"metadata.name is {policy.metadata.name}: only the NicClusterPolicy {POLICY_NAME} is acted on"
        return
    for field, value in (("labels", policy.spec.labels), ("annotations", policy.spec.annotations)):
        if value:
            yield f"spec.{field} has no effect: remove it"


def _node_selector(field: str, selector: Mapping[str, str]) -> Iterator[str]:
    for key, value in selector.items():
        if not is_label_key(key):
            yield f"{field} has the key {_shown(key)}, which no label has, so it chooses no node: correct it"
        elif not is_label_value(value):
            yield f"{field} asks {key} to be {_shown(value)}, which no label is, so it chooses no node: correct it"


def _tolerations(field: str, tolerations: Sequence[Toleration] | None) -> Iterator[str]:
    for index, toleration in enumerate(tolerations or ()):
        yield from _toleration(f"{field}[{index}]", toleration)


def _toleration(path: str, toleration: Toleration) -> Iterator[str]:
    operator, effect = toleration.operator or "Equal", toleration.effect
    if operator not in _TOLERATION_OPERATORS:
        yield f"{path}.operator is {_shown(operator)}, at which pods are refused: use Exists or Equal"
    elif operator == "Exists" and toleration.value:
        yield f"{path}.value is set beside the operator Exists, at which pods are refused: remove it or use Equal"
    elif operator == "Equal" and not toleration.key:
        yield f"{path}.key is missing, at which pods are refused: set it, or use the operator Exists for every taint"
    if effect and effect not in _EFFECTS:
        yield f"{path}.effect is {_shown(effect)}, at which pods are refused: use {', '.join(_EFFECTS)} or none"
    if toleration.key and not is_label_key(toleration.key):
        yield f"{path}.key is {_shown(toleration.key)}, which no taint has: correct it"
    if toleration.toleration_seconds is not None and effect != "NoExecute":
        yield f"{path}.tolerationSeconds is set without effect NoExecute, at which pods are refused: remove it"


def _affinity(field: str, affinity: NodeAffinity | None) -> Iterator[str]:
    required = affinity and affinity.required_during_scheduling_ignored_during_execution
    if required:
        path = f"{field}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
        if not required.node_selector_terms:
            yield f"{path} is empty, at which pods are refused: add a term or remove it"
        for index, term in enumerate(required.node_selector_terms):
            yield from _term(f"{path}[{index}]", term)
    preferred = (affinity and affinity.preferred_during_scheduling_ignored_during_execution) or ()
    for index, preference in enumerate(preferred):
        path = f"{field}.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
        if not 1 <= preference.weight <= 100:
            yield f"{path}.weight is {preference.weight}, at which pods are refused: use 1 to 100"
        yield from _term(f"{path}.preference", preference.preference)


def _term(path: str, term: NodeSelectorTerm) -> Iterator[str]:
    for index, requirement in enumerate(term.match_expressions or ()):
        here = f"{path}.matchExpressions[{index}]"
        if not is_label_key(requirement.key):
            yield f"{here}.key is {_shown(requirement.key)}, which no label has: correct it"
        yield from _requirement(here, requirement)
    for index, requirement in enumerate(term.match_fields or ()):
        here = f"{path}.matchFields[{index}]"
        if requirement.key != "metadata.name":
            yield f"{here}.key is {_shown(requirement.key)}, at which pods are refused: use metadata.name"
        if requirement.operator not in ("In", "NotIn") or len(requirement.values or ()) != 1:
            yield f"{here} does not compare with one name, at which pods are refused: use In or NotIn and one value"


def _requirement(path: str, requirement: NodeSelectorRequirement) -> Iterator[str]:
    operator, values = requirement.operator, requirement.values or ()
    match operator:
        case "In" | "NotIn":
            if not values:
                yield f"{path}.values is empty beside {operator}, at which pods are refused: add a value"
        case "Exists" | "DoesNotExist":
            if values:
                yield f"{path}.values is set beside {operator}, at which pods are refused: remove it"
        case "Gt" | "Lt":
            if len(values) != 1 or _INTEGER.fullmatch(values[0]) is None:
                yield f"{path}.values is not one whole number beside {operator}, at which pods are refused: give one"
        case _:
            known = "In, NotIn, Exists, DoesNotExist, Gt or Lt"
            yield f"{path}.operator is {_shown(operator)}, at which pods are refused: use {known}"


def _driver(field: str, driver: OfedDriver) -> Iterator[str]:
    yield from _env(f"{field}.env", driver.env)
    upgrade = driver.upgrade_policy
    if upgrade is None:
        return
    for name, part in (("drain", upgrade.drain), ("waitForCompletion", upgrade.wait_for_completion)):
        selector = part.pod_selector if part else None
        if selector and not is_label_selector(selector):
            yield (
                f"{field}.upgradePolicy.{name}.podSelector is {_shown(selector)}, which is no label "
                "selector: write it as for kubectl get -l, app=x,tier!=y"
            )


def _env(field: str, variables: Sequence[EnvVar] | None) -> Iterator[str]:
    for index, variable in enumerate(variables or ()):
        if _ENV_NAME.fullmatch(variable.name) is None:
            yield (
                f"{field}[{index}].name is {_shown(variable.name)}, at which pods may be refused: "
                "use letters, digits, '_', '-' and '.', not starting with a digit"
            )


def _shown(text: str) -> str:
    return repr(text[:_LONGEST_SHOWN])
