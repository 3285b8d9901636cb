import pytest

from agent.vpd import parse
from nicfleet.inventory import Board
from tests.host_tree import vpd

WHOLE = vpd("ConnectX-7 adapter", "MCX75310AAS", "MT2230X01234")


def test_fields() -> None:
    assert parse(WHOLE) == Board(serial="MT2230X01234", part_number="MCX75310AAS", description="ConnectX-7 adapter")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"\x78", None, id="end alone"),
        pytest.param(b"\xff" * 64, None, id="a card that fell off the bus"),
        pytest.param(b"\x82\x02\x00", None, id="text cut off"),
        pytest.param(b"\x82\x02\x00ab\x90\xff\xff", Board(description="ab"), id="fields longer than the data"),
        pytest.param(b"\x90\x05\x00SN\xffab\x78", None, id="field longer than its resource"),
        pytest.param(b"\x90\x05\x00SN\x02\xff\xfe\x78", None, id="no text"),
        pytest.param(b"\x90\x07\x00SN\x04a \0\0\x78", Board(serial="a"), id="padding goes"),
        pytest.param(b"\x90\x08\x00SN\x01aSN\x01b\x78", Board(serial="a"), id="the first of two counts"),
    ],
)
def test_malformed(data: bytes, expected: Board | None) -> None:
    assert parse(data) == expected


@pytest.mark.parametrize("size", range(len(WHOLE)))
def test_cut_anywhere(size: int) -> None:
    board = parse(WHOLE[:size])
    assert board is None or board.serial in (None, "MT2230X01234")
