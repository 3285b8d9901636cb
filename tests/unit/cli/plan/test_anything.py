"""Whatever a FILE says, the answer is a plan or one sentence."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli.plan.as_json import as_json
from cli.plan.documents import Unusable, documents
from cli.plan.rendered import rendered, untold
from cli.plan.told import draft, report
from cli.plan.yaml_text import write
from coordinator.admission.review import MODELS
from coordinator.policy import NicClusterPolicySpec
from tests.unit.cli.plan.clusters import called, of_nodes, outlooks
from tests.unit.cli.plan.test_told import INBOX, LOADED

SEEN = of_nodes(called("one", LOADED), called("two", INBOX))
FIELDS = [field.alias or name for name, field in NicClusterPolicySpec.model_fields.items()]
NAMES = st.sampled_from(
    [*FIELDS, "nodeSelector", "networkNamespace", "master", "ipam", "resourceName", "config", "env"]
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(["{}", "[", "{{ x }}", "---"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(kind=st.sampled_from(sorted(MODELS)), spec=ANYTHING, metadata=st.dictionaries(TEXT, ANYTHING, max_size=3))
@example(kind="MacvlanNetwork", spec={"networkNamespace": {"a": "b"}}, metadata={})
@example(kind="NicNodePolicy", spec=[1], metadata={"labels": 5, "finalizers": "x", "uid": {}})
def test_any_document(kind: str, spec: Any, metadata: dict[str, Any]) -> None:
    body = {"apiVersion": "mellanox.com/v1alpha1", "kind": kind, "metadata": {**metadata, "name": "x"}, "spec": spec}
    try:
        made = documents([("f", write(body))])
    except Unusable:
        return
    before, after = outlooks(SEEN, *made.documents)
    assert as_json(report(draft(made, before, after, SEEN, {}), (), {}))
    assert rendered(after, SEEN)
    assert all(untold(after))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("{kind: NicNodePolicy, metadata: {name: x}, spec: [1]}", "NicNodePolicy whose spec", id="spec"),
        pytest.param("{kind: ConfigMap, metadata: {name: x}, data: text}", "ConfigMap whose data", id="data"),
    ],
)
def test_a_section_that_is_no_object(text: str, sentence: str) -> None:
    with pytest.raises(Unusable, match=f"f has a {sentence} is no object: write fields below it"):
        documents([("f", text.replace("{kind", "{apiVersion: mellanox.com/v1alpha1, kind"))])
