"""The wait label of the NIC configuration: one row per rule."""

import pytest

from coordinator.labels.configuration_wait import (
    Configuration,
    ConfigurationInputs,
    ConfigurationPod,
    configuration_wait,
)
from coordinator.labels.rules import Wait

ASKED, NOBODY, UNKNOWN = Configuration.ASKED, Configuration.NOBODY, Configuration.UNKNOWN
NO_POD, POD, UNSEEN = ConfigurationPod.NONE, ConfigurationPod.PRESENT, ConfigurationPod.UNKNOWN


@pytest.mark.parametrize(
    ("configuration", "live", "settled", "nic", "pod", "expected"),
    [
        pytest.param(NOBODY, True, True, True, NO_POD, Wait.FALSE, id="nobody-configures"),
        pytest.param(NOBODY, True, True, True, POD, Wait.TRUE, id="the-daemon-is-still-there"),
        pytest.param(NOBODY, True, True, True, UNSEEN, Wait.KEEP, id="pods-not-looked-at"),
        pytest.param(NOBODY, True, True, False, NO_POD, Wait.ABSENT, id="no-nic"),
        pytest.param(NOBODY, True, True, False, POD, Wait.ABSENT, id="no-nic-but-a-daemon"),
        pytest.param(NOBODY, True, False, True, NO_POD, Wait.FALSE, id="a-live-agent-settles-its-node"),
        pytest.param(NOBODY, False, False, True, NO_POD, Wait.KEEP, id="unsettled"),
        pytest.param(NOBODY, False, True, True, NO_POD, Wait.FALSE, id="no-agent-nic-label"),
        pytest.param(NOBODY, False, True, False, NO_POD, Wait.KEEP, id="no-agent-no-nic-label"),
        pytest.param(ASKED, True, True, True, NO_POD, Wait.LEAVE, id="asked-no-daemon-yet"),
        pytest.param(ASKED, True, True, True, POD, Wait.LEAVE, id="asked"),
        pytest.param(ASKED, True, True, False, NO_POD, Wait.LEAVE, id="asked-no-nic"),
        pytest.param(ASKED, False, False, True, UNSEEN, Wait.LEAVE, id="asked-nothing-known-of-the-node"),
        pytest.param(UNKNOWN, True, True, True, NO_POD, Wait.KEEP, id="policy-not-read"),
        pytest.param(UNKNOWN, True, True, False, NO_POD, Wait.KEEP, id="policy-not-read-no-nic"),
    ],
)
def test_configuration_wait(
    configuration: Configuration, live: bool, settled: bool, nic: bool, pod: ConfigurationPod, expected: Wait
) -> None:
    assert configuration_wait(configuration, ConfigurationInputs(live, settled, nic, pod)) is expected
