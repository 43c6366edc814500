"""What a lab may ask for: seconds, memory, and the words of each layer's kernel."""

from __future__ import annotations

import pytest

from nestkit.errors import LabError
from nestkit.lab import limits, session
from nestkit.lab.machine import (
    TRANSLATED_MIB,
    cpu_arguments,
    kernel_arguments,
    network_arguments,
    port_arguments,
)


@pytest.mark.parametrize("name", ["wait", "boot_deadline_s"])
@pytest.mark.parametrize("value", [-1, "soon", "5", float("nan"), float("inf"), True, [1]])
def test_what_is_no_number_of_seconds_is_refused_before_anything_is_done(name, value, monkeypatch):
    monkeypatch.setattr(session, "build_image", lambda *a, **k: pytest.fail("it was built"))
    with pytest.raises(LabError, match=f"{name} is a number of seconds") as caught:
        session.up(1, **{name: value})
    assert f"{name}=60" in caught.value.remedy


def test_more_memory_than_there_is_is_refused_and_less_is_offered(monkeypatch):
    monkeypatch.setattr(limits, "available_mib", lambda: 4000)
    with pytest.raises(LabError, match="takes 8000 MiB, and 4000 MiB are free") as caught:
        limits.require_memory(limits.memory_plan(2, 8000))
    assert (
        caught.value.remedy == "give less: 1024 MiB are enough, or use depth=1, which takes 512 MiB"
    )


def test_where_the_usual_memory_is_not_free_other_programs_must_go(monkeypatch):
    monkeypatch.setattr(limits, "available_mib", lambda: 700)
    with pytest.raises(LabError, match="takes 1024 MiB, and 700 MiB are free") as caught:
        limits.require_memory(limits.memory_plan(2, None))
    assert caught.value.remedy == "close other programs, or use depth=1, which takes 512 MiB"


def test_an_emulator_needs_memory_beside_its_guests(monkeypatch):
    monkeypatch.setattr(limits, "available_mib", lambda: 1500)
    limits.require_memory(limits.memory_plan(2, None))
    with pytest.raises(LabError, match=r"takes 1624 MiB \(600 of them its emulator") as caught:
        limits.require_memory(limits.memory_plan(2, None), emulated=True)
    assert caught.value.remedy == "close other programs, or use depth=1, which takes 1112 MiB"
    # with what QEMU keeps of translated code, which has a limit of its own
    words = " ".join(cpu_arguments("tcg"))
    assert f"tb-size={TRANSLATED_MIB}" in words
    assert TRANSLATED_MIB < limits.EMULATOR_MIB
    assert limits.MEMORY_MIB[2] + limits.EMULATOR_MIB <= 2048


def test_only_the_third_layer_counts_ticks_while_it_starts():
    assert [("clocksource=jiffies" in kernel_arguments(n)) for n in (1, 2, 3)] == [
        False,
        False,
        True,
    ]


def test_the_serial_bus_has_room_for_its_ports_and_no_more():
    words = port_arguments({"ctl.2": "pipe,path=a", "con.3": "pipe,path=b"})
    assert "virtio-serial-device,max_ports=3" in words  # the first is kept for a console


def test_a_network_card_waits_at_a_unix_socket_and_at_no_port():
    words = " ".join(network_arguments("net"))
    assert "addr.type=unix,addr.path=net" in words
    assert "hostfwd" not in words
