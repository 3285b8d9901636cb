"""What the workloads of a state and their Pods say against readiness.

Each check looks at one state and answers with the first thing that is wrong, in words for the user, or None. A check
is named for what it finds.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from coordinator.verdicts.text import one_line, registry_answer
from coordinator.verdicts.view import LiveWorkload, StateView
from coordinator.workloads import ContainerState, Pod
from nicfleet.names import WAIT_LABEL
from nicfleet.reasons import Finding, Reason, name_nodes

_PULL_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
_START_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})

_Sentence = Callable[[LiveWorkload, Pod, ContainerState], str | None]


def image_not_pulled(view: StateView) -> Finding | None:
    def sentence(workload: LiveWorkload, _: Pod, container: ContainerState) -> str | None:
        if container.waiting_reason not in _PULL_REASONS:
            return None
        answer = registry_answer(container.waiting_message)
        return f"{workload.title}: image {container.image} cannot be pulled on {{nodes}}: {answer}"

    return _first(Reason.ImagePullFailed, _by_sentence(view, sentence))


def container_out_of_memory(view: StateView) -> Finding | None:
    def sentence(workload: LiveWorkload, _: Pod, container: ContainerState) -> str | None:
        if container.last_reason != "OOMKilled" or container.ready:
            return None
        return (
            f"{workload.title}: container {container.name} was killed at its memory limit (OOMKilled) on {{nodes}}; "
            "raise it with containerResources"
        )

    return _first(Reason.ContainerOutOfMemory, _by_sentence(view, sentence))


def container_crashing(view: StateView) -> Finding | None:
    def sentence(workload: LiveWorkload, _: Pod, container: ContainerState) -> str | None:
        if not container.failed and (container.ready or container.waiting_reason not in _START_REASONS):
            return None
        said = one_line(container.last_message or container.waiting_message) or "it left no message"
        code = "" if container.last_exit_code is None else f" with exit code {container.last_exit_code}"
        return f"{workload.title}: container {container.name} keeps failing{code} on {{nodes}}: {said}"

    return _first(Reason.ContainerCrashing, _by_sentence(view, sentence))


def pod_refused(view: StateView) -> Finding | None:
    """Pod security and quota refusals reach no Pod: a DaemonSet has an Event that tells, a Deployment a condition."""
    for workload in view.workloads:
        refusal = workload.refusal or (workload.live.replica_failure if workload.live else "")
        if refusal and not workload.rolled_out:
            return Finding(Reason.PodRefused, _refusal_sentence(workload, refusal))
    return None


def driver_pods_outdated(view: StateView) -> Finding | None:
    """A DaemonSet with OnDelete keeps its old Pods until somebody deletes them. Those that run the same are not old."""
    for workload in view.workloads:
        live = workload.live
        if live is None or not live.on_delete or live.updated >= live.desired or not live.observed:
            continue
        old = [p for p in workload.pods if p.template_generation != live.template_generation and not p.deleting]
        if not old:
            continue
        # One pod and never a selector, which would delete those that are replaced already, and reload every node.
        first = min(old, key=lambda pod: pod.node)
        rest = f"; {len(old) - 1} more after it" if len(old) > 1 else ""
        return Finding.about(
            Reason.DriverPodsOutdated,
            f"{workload.title}: pods on {{nodes}} run the driver asked for earlier; replacing them reloads the driver "
            "there, so it is left to you, one node at a time: "
            f"kubectl -n {live.namespace} delete pod {first.name} (on {first.node}{rest})",
            (pod.node for pod in old),
        )
    return None


def not_rolled_out(view: StateView) -> Finding | None:
    for workload in view.workloads:
        if not workload.rolled_out:
            return _rolling_out(workload)
    return None


def waiting_for_driver(view: StateView) -> Finding | None:
    for workload in view.workloads:
        if workload.waiting:
            text = f"{workload.title} waits for the driver on {{nodes}} (label {WAIT_LABEL} is not false there)"
            return Finding.about(Reason.WaitingForDriver, text, workload.waiting)
    return None


def _rolling_out(workload: LiveWorkload) -> Finding:
    live = workload.live
    if live is None:
        return Finding(Reason.RollingOut, f"{workload.title} was applied and is not there yet")
    if workload.just_applied or not live.observed:
        return Finding(Reason.RollingOut, f"{workload.title}: a change was applied and its rollout has not begun")
    waiting = workload.waiting_nodes()
    if workload.is_daemonset:
        expected = len(workload.placement.admitted)
        done, old = min(live.ready, expected - len(waiting)), 0
    else:
        expected, old = live.desired, max(live.replicas - live.updated, 0)
        done = min(max(live.available - old, 0), expected)  # not told by template: the old ones may be the ready ones
    text = f"{workload.title}: {done} of {expected} pods are up to date and ready"
    if waiting:
        text += f", waiting for {name_nodes(waiting)}"
    elif live.desired != expected:
        text += f", and its controller wants {live.desired}"
    if old:
        text += f", {old} of an earlier template still there"
    began = min((pod.began for pod in workload.pods if pod.began and not pod.ready), default="")
    if began:
        text += f" (the oldest began at {began})"
    unschedulable = sorted({one_line(pod.unschedulable) for pod in workload.pods if pod.unschedulable})
    if unschedulable:
        text += f"; the scheduler says: {unschedulable[0]}"
    return Finding(Reason.RollingOut, text, waiting)


def _refusal_sentence(workload: LiveWorkload, refusal: str) -> str:
    said = one_line(refusal)
    if "violates PodSecurity" in refusal:
        return (
            f"{workload.title}: pod security of namespace {workload.namespace} refuses its pods: {said}. "
            "Allow them with: "
            f"kubectl label namespace {workload.namespace} pod-security.kubernetes.io/enforce=privileged --overwrite"
        )
    if "exceeded quota" in refusal:
        return f"{workload.title}: a quota of namespace {workload.namespace} refuses its pods: {said}; raise the quota"
    return f"{workload.title}: the API server refuses its pods: {said}"


def _by_sentence(view: StateView, sentence: _Sentence) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Sentences about containers that are not well, each with the nodes it is true of; sorted, so always the same."""
    nodes: defaultdict[str, set[str]] = defaultdict(set)
    for workload in view.workloads:
        for pod in workload.pods:
            for container in () if pod.deleting else pod.containers:
                text = sentence(workload, pod, container)
                if text is not None:
                    nodes[text].add(pod.node)
    for text in sorted(nodes):
        yield text, tuple(sorted(nodes[text]))


def _first(reason: Reason, found: Iterable[tuple[str, tuple[str, ...]]]) -> Finding | None:
    for text, nodes in found:
        return Finding.about(reason, text, nodes)
    return None
