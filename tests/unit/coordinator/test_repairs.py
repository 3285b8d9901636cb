"""Repairs: at once, then ever more rarely, and anew after a time of peace."""

from coordinator.objects.repairs import Repairs


def test_a_fight_slows_down_and_peace_forgives() -> None:
    now = 0.0
    repairs = Repairs[str](lambda: now)
    assert repairs.wait("x") == 0

    waits = []
    for _ in range(8):
        repairs.note("x")
        waits.append(repairs.wait("x"))
        now += repairs.wait("x")
        assert repairs.wait("x") == 0

    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]
    assert repairs.wait("another") == 0

    now += 1801  # seconds of peace
    assert repairs.wait("x") == 0
    repairs.note("x")
    assert repairs.wait("x") == 10
