"""Answers of the API server as exceptions, each with a sentence for a person."""

import json
from typing import Any

import pytest

from coordinator.kube.errors import (
    LONGEST_RETRY,
    Conflict,
    Failed,
    Forbidden,
    Gone,
    Invalid,
    KubeError,
    NotFound,
    TooManyRequests,
    Unauthorized,
    Unreachable,
    error_of,
)


def body(message: str, *causes: dict[str, str], **details: str) -> bytes:
    status: dict[str, Any] = {"kind": "Status", "message": message, "details": {**details, "causes": list(causes)}}
    return json.dumps(status).encode()


@pytest.mark.parametrize(
    ("code", "answer", "kind"),
    [
        pytest.param(403, body("no"), Forbidden, id="forbidden"),
        pytest.param(401, b"Unauthorized", Unauthorized, id="unauthorized-plain-text"),
        pytest.param(404, body("not found"), NotFound, id="not-found"),
        pytest.param(409, body("conflict"), Conflict, id="conflict"),
        pytest.param(410, body("too old"), Gone, id="expired"),
        pytest.param(422, body("invalid"), Invalid, id="invalid"),
        pytest.param(429, body("slow"), TooManyRequests, id="too-many"),
        pytest.param(500, body("failed calling webhook"), Failed, id="webhook"),
        pytest.param(500, b"<html>", Unreachable, id="a-proxy-in-between"),
        pytest.param(502, b'{"error": "bad gateway"}', Unreachable, id="a-proxy-that-speaks-json"),
        pytest.param(503, body("the server is currently unable"), Unreachable, id="not-yet"),
        pytest.param(504, body("Timeout"), Unreachable, id="stalled"),
        pytest.param(504, body("late", {"reason": "ResourceVersionTooLarge"}), Gone, id="position-from-the-future"),
        pytest.param(418, b"", KubeError, id="anything-else"),
    ],
)
def test_kinds(code: int, answer: bytes, kind: type[KubeError]) -> None:
    assert type(error_of("apply", "Node x", code, {}, answer)) is kind


def test_the_sentence_names_request_object_answer_and_fix() -> None:
    error = error_of("apply", "DaemonSet n/x", 403, {}, body('User "x" cannot patch resource "daemonsets"'))

    assert str(error) == (
        'cannot apply DaemonSet n/x: User "x" cannot patch resource "daemonsets"; '
        "give nicfleet's ServiceAccount the rights that are shipped with it"
    )


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({}, 1.0),
        ({"Retry-After": "x"}, 1.0),
        ({"Retry-After": "²"}, 1.0),
        ({"Retry-After": "3600"}, LONGEST_RETRY),
        ({"Retry-After": "9" * 400}, LONGEST_RETRY),
    ],
)
def test_retry_after(header: dict[str, str], seconds: float) -> None:
    error = error_of("apply", "Node x", 429, header, body("slow"))

    assert isinstance(error, TooManyRequests)
    assert error.retry_after == seconds


def test_what_is_missing_is_told_apart() -> None:
    namespace = error_of("apply", "ConfigMap n/x", 404, {}, body("no", kind="namespaces", name="n"))
    thing = error_of("read", "ConfigMap n/x", 404, {}, body("no", kind="configmaps", name="x"))
    kind = error_of("list", "issuers", 404, {}, b"404 page not found")

    assert [(e.namespace_missing, e.kind_unknown) for e in (namespace, thing, kind) if isinstance(e, NotFound)] == [
        (True, False),
        (False, False),
        (False, True),
    ]
    assert str(namespace) == "cannot apply ConfigMap n/x: no; kubectl create namespace n, or give --namespace another"
    assert str(thing) == "cannot read ConfigMap n/x: no"


@pytest.mark.parametrize(
    ("message", "advised"),
    [
        pytest.param('nodes is forbidden: User "x" cannot list resource "nodes"', True, id="a-right-is-missing"),
        pytest.param("pods is forbidden: exceeded quota: few, requested: pods=1", False, id="quota"),
    ],
)
def test_rights_are_advised_where_rights_are_missing(message: str, advised: bool) -> None:
    error = error_of("apply", "Pod n/x", 403, {}, body(message))
    assert ("ServiceAccount" in str(error)) is advised


def test_an_answer_is_told_as_far_as_people_read_and_the_fix_all_the_same() -> None:
    error = error_of("apply", "DaemonSet n/x", 500, {}, body('DaemonSet "x" is invalid: ' + "wrong, " * 60_000))
    assert str(error).startswith('cannot apply DaemonSet n/x: DaemonSet "x" is invalid: wrong, wrong')
    assert str(error).endswith(f"wrong, … (cut at 1024 characters); {Failed.fix}")
    assert len(str(error)) < 1200


@pytest.mark.parametrize(
    ("target", "message", "cause"),
    [
        pytest.param(
            "Node node-1", 'nodes "node-1" is forbidden', 'cannot apply Node …: nodes "…" is forbidden', id="a-node"
        ),
        pytest.param("Node n", "n and no-n", "cannot apply Node …: … and no-n", id="the-whole-name"),
        pytest.param("Node n", "at 12:00:01Z, id 'f-0a'", "cannot apply Node …: at … id '…'", id="what-varies"),
        pytest.param("ConfigMap n/x.y", '"x.y" in n', 'cannot apply ConfigMap n/…: "…" in n', id="in-a-namespace"),
        pytest.param("nodes", "nodes is forbidden", "cannot apply nodes: nodes is forbidden", id="no-single-object"),
    ],
)
def test_the_cause_is_what_errors_over_several_objects_have_in_common(target: str, message: str, cause: str) -> None:
    assert error_of("apply", target, 403, {}, body(message)).cause == cause
