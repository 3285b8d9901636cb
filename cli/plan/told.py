"""Everything that was seen and concluded → the report. Pure.

`draft` is what can be said before Pods are looked at; it tells which of them to look for.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from cli.plan.compare import Act, Answer, Change, compare
from cli.plan.diff import diff
from cli.plan.documents import Document, Given, cautions, wrong_with
from cli.plan.drivers import driver_plans, loading, would_be_held
from cli.plan.labels import label_plans
from cli.plan.outlook import Outlook
from cli.plan.pods import Concerned, RunningPod, concerned, disturbed
from cli.plan.report import (
    DriverPlan,
    Fleet,
    GivenDocument,
    LabelPlan,
    ObjectChange,
    Problem,
    Report,
    Told,
    Verdict,
    WorkloadPlan,
)
from cli.plan.resources import resource_names, resource_plans, with_resources
from cli.plan.seen import Seen, live_objects, workloads
from coordinator.admission.review import MODELS
from coordinator.kube.errors import KubeError
from coordinator.kube.objects import Ref
from coordinator.networks.kinds import read
from coordinator.networks.warnings import alike
from coordinator.networks.warnings import warnings as network_warnings
from coordinator.nodes import Taint
from coordinator.objects.scheduling import keeps
from coordinator.objects.served import Owner
from coordinator.verdicts.checks import Check, driver, objects, resources
from coordinator.verdicts.readiness import unverified
from coordinator.verdicts.view import StateView
from coordinator.workloads import Workload
from coordinator.world import WORKLOADS, Places
from nicfleet.names import NIC_LABEL
from nicfleet.reasons import Finding, Reason

CHECKS: Final[tuple[Check, ...]] = (
    driver.operating_system_unsupported,
    driver.labels_incomplete,
    objects.accepted_without_effect,
    objects.version_not_global,
    objects.no_matching_nodes,
    objects.nodes_left_out,
    driver.nfs_rdma_on_nvme,
    driver.version_unchecked,
    resources.resource_unmatched,
    resources.resource_overlap,
    resources.vf_guid_zero,
)
"""The coordinator's checks that mean something before anything runs."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan without the Pods that notice it."""

    given: Given
    before: Outlook
    after: Outlook
    seen: Seen
    changes: tuple[Change, ...]
    workloads: tuple[WorkloadPlan, ...]
    drivers: tuple[DriverPlan, ...]
    loading: frozenset[str]
    views: Mapping[Owner, tuple[StateView, ...]]
    concerned: Concerned


def draft(given: Given, before: Outlook, after: Outlook, seen: Seen, answers: Mapping[Ref, Answer]) -> Draft:
    """`before` and `after` are the outlooks without and with what is given, `answers` those of dry runs."""
    changes = compare(after, seen, answers)
    now = workloads(live_objects(seen.objects))
    plans = tuple(_workload_plans(after, seen, changes, now))
    drivers = driver_plans(after, seen, changes)
    nodes = loading(after, drivers)
    return Draft(
        given=given,
        before=before,
        after=after,
        seen=seen,
        changes=changes,
        workloads=plans,
        drivers=drivers,
        loading=nodes,
        views=with_resources(after, seen.inventories, nodes),
        concerned=concerned(changes, now, plans, drivers, resource_names(before), resource_names(after)),
    )


def report(made: Draft, pods: Iterable[RunningPod], refused: Mapping[tuple[str, str], KubeError]) -> Report:
    """The whole plan. `refused` has what the API server says against documents."""
    found = tuple(_findings(made))
    told = " ".join(finding.message for finding in found)
    documents = tuple(_document(each, made, told) for each in made.given.documents)
    wrong = tuple(_problems(made, refused))
    labels = label_plans(made.seen, made.after)
    return Report(
        verdict=_verdict(wrong, documents, made.changes, labels),
        server=made.seen.server,
        fleet=_fleet(made),
        documents=documents,
        problems=wrong,
        objects=tuple(map(_object, made.changes)),
        labels=labels,
        workloads=made.workloads,
        drivers=made.drivers,
        resources=tuple(resource_plans((view for views in made.views.values() for view in views), made.loading)),
        disturbed=disturbed(made.concerned, pods),
        findings=found,
        notes=tuple(_notes(made)),
    )


def _verdict(
    wrong: tuple[Problem, ...],
    documents: Iterable[GivenDocument],
    changes: Iterable[Change],
    labels: Iterable[LabelPlan],
) -> Verdict:
    if wrong:
        return Verdict.PROBLEMS
    # What may not be read may be anything.
    moving = any(change.written or change.act is Act.UNKNOWN for change in changes) or any(
        label.moves for label in labels
    )
    return Verdict.CHANGES if moving or any(each.change != Act.NONE for each in documents) else Verdict.NOTHING


def _fleet(made: Draft) -> Fleet:
    nodes = made.after.world.nodes.values()
    with_nic = sum(1 for node in nodes if node.kube.labels.get(NIC_LABEL) == "true")
    return Fleet(len(nodes), with_nic, sum(1 for node in nodes if node.facts is not None))


def _document(document: Document, made: Draft, told: str) -> GivenDocument:
    live = {(body["kind"], body["metadata"]["name"]): body for body in (*made.seen.policies, *made.seen.networks)}
    there = live.get(document.key)
    openshift = made.seen.cluster.openshift is not None
    more = tuple(text for text in cautions(document, openshift=openshift) if text not in told)
    change = Act.CREATE if there is None else Act.NONE if _same(document, there) else Act.CHANGE
    return GivenDocument(document.kind, document.name, document.source, change, more)


def _same(document: Document, there: Mapping[str, object]) -> bool:
    """Both ask for the same, whoever filled in the defaults."""
    model = MODELS[document.kind]
    try:
        return model.model_validate(document.body).spec == model.model_validate(there).spec
    except ValueError:  # pydantic's, for one that cannot be read
        return False


def _object(change: Change) -> ObjectChange:
    moving = change.act in (Act.CHANGE, Act.REPLACE)
    return ObjectChange(
        change=change.act,
        kind=change.ref.kind,
        namespace=change.ref.namespace,
        name=change.ref.name,
        of_kind=change.owner[0],
        of_name=change.owner[1],
        state=change.state,
        exact=change.exact,
        why=change.finding.message if change.finding else "",
        diff=diff(change.before or {}, change.after or {}) if moving else "",
        taken_from=change.taken_from,
    )


# What is wrong.


def _problems(made: Draft, refused: Mapping[tuple[str, str], KubeError]) -> Iterator[Problem]:
    """Of what is given, and what it does to others: each sentence once."""
    given = {document.key for document in made.given.documents}
    openshift = made.seen.cluster.openshift is not None
    found = [
        Problem(*document.key, wrong.field, wrong.sentence)
        for document in made.given.documents
        for wrong in wrong_with(document, openshift=openshift)
    ]
    found += [
        Problem(*key, cause.field, f"{cause.field} is refused: {cause.message}" if cause.field else cause.message)
        for key, error in refused.items()
        for cause in error.status.causes
    ]
    found += [
        Problem(*key, "", error.status.message or str(error))
        for key, error in refused.items()
        if not error.status.causes
    ]
    for owner, conflicts in made.after.conflicts.items():
        earlier = made.before.conflicts.get(owner, ())
        new = [conflict for conflict in conflicts if owner in given or conflict not in earlier]
        found += [Problem(*owner, "", conflict.message) for conflict in new]
    known = {problem.message for problem in found}
    for owner, finding in _state_problems(made):
        # A state's finding may have several sentences, which are all known one by one.
        if owner in given and not any(message in finding.message for message in known):
            found.append(Problem(*owner, "", finding.message))
    for change in made.changes:
        if change.act is Act.REFUSED and change.finding is not None:
            found.append(Problem(*change.owner, "", change.finding.message))
    yield from dict.fromkeys(found)


def _state_problems(made: Draft) -> Iterator[tuple[Owner, Finding]]:
    for each in made.after.plans:
        for state in each.states.values():
            if state.problem is not None and state.problem.reason is Reason.InvalidSpec:
                yield each.policy.owner, state.problem
    for network in made.after.networks:
        if network.problem is not None and network.wanted is None:
            yield network.owner, network.problem


# What is worth knowing.


def _findings(made: Draft) -> Iterator[Told]:
    for owner, views in made.views.items():
        for view in views:
            found = [finding for check in CHECKS if (finding := check(view)) is not None]
            if view.problem is not None and view.problem.reason is Reason.NotYetKnown:
                found.insert(0, view.problem)
            yield from (_told(finding, owner, view.name) for finding in found)
    given = {document.key for document in made.given.documents}
    yield from (_told(problem, owner) for owner, problem in _state_problems(made) if owner not in given)
    yield from _of_networks(made)
    if (held := would_be_held(made.after, made.drivers)) is not None:
        yield _told(held)
    everyone = [view for views in made.views.values() for view in views]
    if made.seen.inventories and (silent := unverified(everyone)) is not None:
        yield _told(silent)
    yield from map(_told, _of_nodes(made))


def _of_networks(made: Draft) -> Iterator[Told]:
    facts = {name: node.facts for name, node in made.after.world.nodes.items() if node.live and node.facts is not None}
    nodes = alike(facts)
    for network in made.after.networks:
        if network.wanted is None:
            continue
        if network.problem is not None:
            yield _told(network.problem, network.owner)
        for finding in network_warnings(read(network.document), nodes):
            yield _told(finding, network.owner)


def _of_nodes(made: Draft) -> Iterator[Finding]:
    """What the inventories themselves say; nodes with the same together."""
    nodes: defaultdict[tuple[Reason, str], list[str]] = defaultdict(list)
    for name, node in made.after.world.nodes.items():
        for finding in node.facts.findings if node.facts is not None else ():
            nodes[finding.reason, finding.message].append(name)
    for (reason, message), names in sorted(nodes.items()):
        yield Finding.about(reason, f"{{nodes}}: {message}", names)


def _told(finding: Finding, owner: Owner = ("", ""), state: str = "") -> Told:
    return Told(finding.reason, finding.message, finding.nodes, owner[0], owner[1], state)


def _notes(made: Draft) -> Iterator[str]:
    yield from made.seen.notes
    for policy in made.after.intake.leaving & {document.key for document in made.given.documents}:
        yield f"{policy[0]} {policy[1]} is being deleted: what is applied now goes with it"
    if made.given.left_out:
        yield f"left out, as nicfleet makes nothing of it: {', '.join(made.given.left_out)}"
    if not made.seen.inventories:
        yield "no inventory is known: nothing is said of hardware, of loaded drivers and of resources"
    rough = [change for change in made.changes if change.written and not change.exact and change.act is not Act.REPLACE]
    if made.seen.live and rough:
        yield (
            f"the API server was not asked what it would make of {len(rough)} objects, as your account may not write "
            "them: those that are there were compared with what was applied last"
        )
    hidden = sum(1 for change in made.changes if change.act is Act.UNKNOWN)
    if hidden:
        yield f"{hidden} objects are not compared, as your account may not read them"


# Where it runs.


def _workload_plans(
    outlook: Outlook, seen: Seen, changes: Iterable[Change], now: Mapping[Ref, Workload]
) -> Iterator[WorkloadPlan]:
    wanted = {each.ref: each.obj for each in outlook.wanted()}
    today = Places(seen.nodes)
    for change in changes:
        if change.ref.kind not in WORKLOADS:
            continue
        kind, namespace, name = change.ref
        plan = WorkloadPlan(kind, namespace, name, change.act, change.rolls, ())
        live = now.get(change.ref) if kind == "DaemonSet" else None
        before = today.of(live.template.get("spec") or {}).chosen if live is not None else ()
        if change.ref not in wanted:
            yield replace(plan, left=before)
            continue
        pod_spec = wanted[change.ref]["spec"]["template"]["spec"]
        placement, waiting = outlook.places.of(pod_spec), outlook.places.waiting(pod_spec)
        nodes = outlook.world.nodes
        yield replace(
            plan,
            nodes=tuple(sorted({*placement.chosen, *waiting})),
            waiting=waiting,
            tainted={node: _shown(taint) for node, taint in placement.tainted.items()},
            left=tuple(node for node in before if node not in nodes or not keeps(pod_spec, nodes[node].kube)),
        )


def _shown(taint: Taint) -> str:
    return f"{taint.key}{f'={taint.value}' if taint.value else ''}:{taint.effect}"
