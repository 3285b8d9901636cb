import pytest

from nicfleet.models import NETWORK_MODELS, SHARED_VF, VF_IDS, in_recovery, network_model, other_model


@pytest.mark.parametrize(
    ("device", "supported"),
    [
        pytest.param(0x1013, False, id="ConnectX-4"),
        pytest.param(0x1015, False, id="ConnectX-4 Lx"),
        pytest.param(0x1017, True, id="ConnectX-5"),
        pytest.param(0x101B, True, id="ConnectX-6"),
        pytest.param(0x101D, True, id="ConnectX-6 Dx"),
        pytest.param(0x101F, False, id="ConnectX-6 Lx"),
        pytest.param(0x1021, True, id="ConnectX-7"),
        pytest.param(0xA2DC, True, id="BlueField-3"),
    ],
)
def test_supported(device: int, supported: bool) -> None:
    model = network_model(device)
    assert model is not None
    assert model.supported is supported


def test_every_unsupported_model_has_a_reason_that_names_it_and_no_other_has() -> None:
    for model in NETWORK_MODELS.values():
        if model.supported:
            assert model.unsupported_reason is None
        else:
            assert (model.unsupported_reason or "").startswith(f"{model.name} is not supported: ")


def test_a_generation_is_a_label_value() -> None:
    assert all(model.generation == model.generation.lower().replace(" ", "-") for model in NETWORK_MODELS.values())


def test_the_shared_vf_id_tells_no_model() -> None:
    assert network_model(SHARED_VF) is None
    assert SHARED_VF in VF_IDS


@pytest.mark.parametrize(
    ("device", "model", "recovery"),
    [
        pytest.param(0x0218, "ConnectX-7 in recovery mode", True, id="known card"),
        pytest.param(0x0209, "card in recovery mode", True, id="unknown card"),
        pytest.param(0xC2D2, "BlueField management interface", False, id="management interface"),
        pytest.param(0x6001, "device 6001", False, id="something else"),
    ],
)
def test_other_devices(device: int, model: str, recovery: bool) -> None:
    assert (other_model(device), in_recovery(device)) == (model, recovery)
