"""What a user gives to kubectl → the policies and networks in it, and what is wrong with each by itself. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cli.plan.yaml_text import NotYaml, read
from coordinator.admission.cautions import warnings
from coordinator.admission.review import MODELS
from coordinator.admission.rules import problems
from coordinator.networks.definition import network_problems
from coordinator.networks.kinds import KINDS
from coordinator.policy import InvalidSpec, NicClusterPolicy, NicNodePolicy
from nicfleet.names import API_GROUP

Body = Mapping[str, Any]
"""An object as JSON."""

STDIN: Final = "standard input"
"""What is said of a document's file when it came from there."""

NEW_UID: Final = "00000000-0000-0000-0000-000000000000"
"""In place of the uid that the API server will give to an object."""

NEW_TIME: Final = "9999-12-31T23:59:59Z"
"""When an object that does not exist yet was made: after all others, however many there are."""

_FROM_CLUSTER: Final = ("uid", "creationTimestamp", "generation", "resourceVersion", "finalizers", "deletionTimestamp")


class Unusable(ValueError):
    """What was given cannot be used at all; the text is one sentence for the person who gave it."""


@dataclass(frozen=True, slots=True)
class Document:
    """A policy or a network, and where it is from."""

    source: str
    body: Body

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def key(self) -> tuple[str, str]:
        """Kind and name."""
        return self.kind, self.name

    @property
    def is_network(self) -> bool:
        return self.kind in KINDS

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Given:
    """All that the FILEs contain.

    config_maps   the data of ConfigMaps by namespace and name
    left_out      objects of other kinds, each as "Kind name"
    """

    documents: tuple[Document, ...]
    config_maps: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def documents(texts: Iterable[tuple[str, str]]) -> Given:
    """The documents of these FILEs, each a name and its text. Raises Unusable."""
    found: dict[tuple[str, str], Document] = {}
    config_maps: dict[tuple[str, str], Mapping[str, str]] = {}
    left_out: list[str] = []
    for source, text in texts:
        for body in _bodies(source, text):
            kind, metadata = _kind(source, body), _metadata(source, body)
            if kind == "ConfigMap":
                config_maps[str(metadata.get("namespace", "")), metadata["name"]] = _data(source, body)
            elif kind not in MODELS or not str(body.get("apiVersion", "")).startswith(f"{API_GROUP}/"):
                left_out.append(f"{kind} {metadata['name']}")
            else:
                _mapping(source, body, "spec")
                document = Document(source, body)
                if (twice := found.get(document.key)) is not None:
                    raise Unusable(f"{document} is in {twice.source} and again in {source}: give it once")
                found[document.key] = document
    if not found:
        raise Unusable(f"there is no policy and no network: give a FILE with one of {', '.join(sorted(MODELS))}")
    return Given(tuple(found.values()), config_maps, tuple(left_out))


def policies(given: Given, there: Iterable[Body]) -> list[Body]:
    """The policies of a cluster that has these, once the documents are applied."""
    return _merged(given, there, networks=False)


def networks(given: Given, there: Iterable[Body]) -> list[Body]:
    """The networks of a cluster that has these, once the documents are applied."""
    return _merged(given, there, networks=True)


def completed(document: Document, live: Body | None) -> Body:
    """The object as it will be in the cluster: what the API server keeps of the live one, or gives to a new one."""
    metadata = {key: value for key, value in document.body["metadata"].items() if key not in _FROM_CLUSTER}
    kept = {} if live is None else {k: v for k, v in live["metadata"].items() if k in _FROM_CLUSTER}
    new = {"uid": NEW_UID, "creationTimestamp": NEW_TIME, "generation": 1} if live is None else {}
    body = {key: value for key, value in document.body.items() if key != "status"}
    return {**body, "metadata": {**metadata, **new, **kept}}


def wrong_with(document: Document, *, openshift: bool) -> tuple[InvalidSpec, ...]:
    """Every mistake of a document that needs no cluster to be seen: form, fields, and the coordinator's own rules."""
    model = MODELS[document.kind]
    try:
        # Unknown fields are refused by the API server when kubectl sends them.
        model.model_validate(_without_cluster(document.body), extra="forbid")
    except ValidationError as error:
        found = tuple(_refused(document.kind, each) for each in error.errors())
        if any(each["type"] != "extra_forbidden" for each in error.errors()):
            return found
    else:
        found = ()
    judged = model.model_validate(document.body)
    if isinstance(judged, NicClusterPolicy | NicNodePolicy):
        return (*found, *problems(judged, openshift=openshift))
    return (*found, *network_problems(judged))


def cautions(document: Document, *, openshift: bool) -> tuple[str, ...]:
    """What is accepted of a policy and will not do what it seems to say."""
    try:
        judged = MODELS[document.kind].model_validate(document.body)
    except ValidationError:
        return ()
    if not isinstance(judged, NicClusterPolicy | NicNodePolicy):
        return ()
    return warnings(judged, openshift=openshift)


def _merged(given: Given, there: Iterable[Body], *, networks: bool) -> list[Body]:
    live = {(body["kind"], body["metadata"]["name"]): body for body in there}
    asked = [document for document in given.documents if document.is_network is networks]
    new = {document.key: completed(document, live.get(document.key)) for document in asked}
    return list({**live, **new}.values())


def _bodies(source: str, text: str) -> Iterator[Body]:
    try:
        for body in read(text):
            if not isinstance(body, Mapping):
                raise Unusable(f"{source} has a document that is no object: begin it with apiVersion and kind")
            items = body.get("items")
            yield from items if str(body.get("kind", "")).endswith("List") and isinstance(items, list) else (body,)
    except NotYaml as error:
        raise Unusable(f"{source} {error}") from error


def _kind(source: str, body: Body) -> str:
    kind = body.get("kind") if isinstance(body, Mapping) else None
    if not isinstance(kind, str) or not kind:
        raise Unusable(f"{source} has an object without a kind: add apiVersion and kind")
    return kind


def _metadata(source: str, body: Body) -> Mapping[str, Any]:
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(metadata, Mapping) or not isinstance(name, str) or not name:
        raise Unusable(f"{source} has a {body['kind']} without metadata.name: give it one")
    return metadata


def _data(source: str, body: Body) -> Mapping[str, str]:
    found = {**_mapping(source, body, "data"), **_mapping(source, body, "binaryData")}
    return {str(key): str(value) for key, value in found.items()}


def _mapping(source: str, body: Body, field: str) -> Mapping[str, Any]:
    value = body.get(field) or {}
    if not isinstance(value, Mapping):
        raise Unusable(f"{source} has a {body['kind']} whose {field} is no object: write fields below it")
    return value


def _without_cluster(body: Body) -> Body:
    """What users write: of metadata only the name is judged here."""
    kept = {key: value for key, value in body.items() if key != "status"}
    return {**kept, "metadata": {"name": body["metadata"]["name"]}}


def _refused(kind: str, error: ErrorDetails) -> InvalidSpec:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    if error["type"] == "extra_forbidden":
        return InvalidSpec(path, f"is no field of a {kind}", "remove it or correct its name")
    return InvalidSpec(path, "cannot be used", error["msg"][:1].lower() + error["msg"][1:])
