"""Whatever an agent says, and may it lie: only keys of nicfleet's list are ever wanted on a Node."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.fleet.hardware_labels import hardware_labels
from coordinator.labels.rules import Mode, Wait, wanted
from nicfleet import names
from nicfleet.inventory import Inventory
from tests.unit.coordinator.inventories import kube_node
from tests.unit.nicfleet.test_wire import INVENTORIES

KEYS = st.sampled_from(sorted(names.LABEL_KEYS)) | st.text(max_size=20) | st.just("kubernetes.io/role")
LABELS = st.dictionaries(KEYS, st.text(max_size=10), max_size=5)
WAITS = st.fixed_dictionaries({key: st.sampled_from(Wait) for key in sorted(names.WAIT_LABELS)})


@settings(max_examples=300, deadline=None)
@given(INVENTORIES, LABELS, st.sampled_from(Mode), WAITS)
def test_only_keys_on_the_list_are_written_or_removed(
    reported: Inventory, carried: Mapping[str, str], mode: Mode, waits: Mapping[str, Wait]
) -> None:
    """Behaviour 75."""
    node = kube_node(labels=carried)
    target = wanted(node, hardware_labels(reported).values, mode, waits)
    assert all(map(names.may_be_written, (*target.labels, *target.gone, *target.released)))
