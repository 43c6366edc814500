"""The network between adjacent layers: what is asked of both ends, and what becomes of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_layers import FakeLayer, World

from nestkit import benchmark, lab
from nestkit.benchmark import SUITES, find_effect
from nestkit.benchmark.workloads import WORKLOADS
from nestkit.errors import RunError


def linked(world: World | None = None, depths: int = 3, **knobs: object) -> list[FakeLayer]:
    """Layers with links; each further in takes four times as long for a bit."""
    world = world or World()
    return [
        FakeLayer(
            world,
            f"L{i}",
            i,
            emulated=i > 0,
            slowdown={"network": 4.0**i},
            link="/run/net",
            **knobs,
        )  # type: ignore[arg-type]
        for i in range(depths)
    ]


def test_both_suites_have_it() -> None:
    assert all("network" in suite.workloads for suite in SUITES.values())


def test_each_guest_is_measured_from_the_layer_just_outside() -> None:
    layers = linked()
    run = benchmark.run(layers, seed=1, rounds=2, workloads=["network", "exit"])
    assert {s.layer for s in run.samples if s.workload == "network"} == {"L1", "L2"}
    clients = [[c for c in la.commands if c[0] == "nestkit-link"] for la in layers]
    servers = [[c for c in la.commands if c[0] == "nestkit-serve"] for la in layers]
    assert [len(c) for c in clients] == [3, 3, 0]  # warm-up and two rounds
    assert [len(c) for c in servers] == [0, 3, 3]
    assert {c[1] for c in clients[0]} == {"/run/net of L1"}
    assert {c[1] for c in clients[1]} == {"/run/net of L2"}
    assert run.status == "complete"
    assert not run.incomplete
    assert "incomplete" not in str(run)


def test_its_throughput_stands_beside_the_cpu_of_the_layer_itself() -> None:
    run = benchmark.run(linked(World(noise=0.0)), seed=1, rounds=2, workloads=["network"])
    assert {s.cpu_percent for s in run.samples} == {42.0}  # the server's, not the client's 3
    assert {s.unit for s in run.samples} == {"bit/s"}
    effect = find_effect(run, "network", "L2", baseline="L1")
    assert effect.ratio == pytest.approx(4.0)
    assert "50 Mbit/s" in str(run)


def test_the_outermost_layer_has_no_layer_outside_and_no_figure() -> None:
    run = benchmark.run(linked(), seed=1, rounds=2, workloads=["network"])
    assert find_effect(run, "network", "L0").verdict == "not measured"
    assert find_effect(run, "network", "L0").median is None
    with pytest.raises(RunError, match="no layer with another just outside it"):
        benchmark.run(linked(depths=1), seed=1, rounds=1, workloads=["network"])
    run = benchmark.run(linked(depths=1), seed=1, rounds=1)
    assert any("network was not measured: there is no layer" in note for note in run.notes)


def test_without_the_layer_just_outside_a_layer_is_not_measured() -> None:
    layers = linked()
    run = benchmark.run([layers[0], layers[2]], seed=1, rounds=1, workloads=["exit", "system-call"])
    assert WORKLOADS["network"].measured_in(run.layers) == []


def test_layers_without_a_link_are_told() -> None:
    layers = [FakeLayer(World(), f"L{i}", i) for i in range(2)]
    run = benchmark.run(layers, seed=1, rounds=1)
    assert any("network was not measured: L1 has no link" in note for note in run.notes)


@pytest.mark.parametrize("lacking", [0, 1])
def test_either_end_must_have_the_tool(lacking: int) -> None:
    layers = linked(depths=2)
    layers[lacking].missing = ("iperf3",)
    with pytest.raises(RunError, match=f"L{lacking} has no iperf3"):
        benchmark.run(layers, seed=1, rounds=1, workloads=["network"])


def test_another_binary_at_either_end_is_not_comparable() -> None:
    layers = linked()
    layers[0].hashes = {"iperf3": "b" * 64}
    run = benchmark.run(layers, seed=1, rounds=2, workloads=["network", "exit"])
    rows = [s for s in run.counted if s.workload == "network"]
    assert {s.layer for s in rows if not s.valid} == {"L1"}
    assert all("iperf3 is another binary" in s.reason for s in rows if s.layer == "L1")


def test_whole_seconds_after_one_that_does_not_count() -> None:
    for sample_s, seconds in ((0.3, "1"), (1.0, "1"), (1.5, "2")):
        layers = linked(depths=2)
        benchmark.run(layers, seed=1, rounds=1, workloads=["network"], sample_s=sample_s)
        command = next(c for c in layers[0].commands if c[0] == "nestkit-link")
        assert command[command.index("-t") + 1] == seconds
        assert command[command.index("-O") + 1] == "1"


def test_a_server_that_is_gone_is_an_error_and_never_a_zero() -> None:
    layers = linked(depths=2)
    layers[0].before = lambda argv: layers[0].world.servers.clear()
    with pytest.raises(RunError, match="Connection refused"):
        benchmark.run(layers, seed=1, rounds=1, workloads=["network"])


def test_a_recording_of_it_plays_back_the_same(tmp_path: Path) -> None:
    taken, recording = benchmark.record(linked(), rounds=2, seed=3, workloads=["network", "exit"])
    played = benchmark.replay(recording.save(tmp_path / "r.gz"))
    assert [(s.layer, s.value) for s in played.samples] == [
        (s.layer, s.value) for s in taken.samples
    ]
    assert "path:link" not in taken.save(tmp_path / "run.json").read_text("utf-8")


# real guests

pytest_lab = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NESTKIT_LAB_QUEUE", str(tmp_path_factory.mktemp("queue")))
        with lab.up(depth=1) as lab_of_one:
            yield lab_of_one


def _listening() -> set[str]:
    lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    return {line.split()[1] for line in lines if line.split()[3] == "0A"}


class TestRealLink:
    pytestmark = pytest_lab

    def test_a_guest_is_measured_through_the_loopback_and_nothing_stays(self, running) -> None:
        seen: set[str] = set()
        before = _listening()
        run_ends = threading.Event()

        def watch() -> None:
            while not run_ends.wait(0.02):
                seen.update(_listening() - before)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            run = benchmark.run(running.layers, seed=1, rounds=2, workloads=["network"])
        finally:
            run_ends.set()
            watcher.join()
        rows = [s for s in run.counted if s.layer == "L1"]
        assert len(rows) == 2
        assert all(s.valid and s.value > 1e5 and s.cpu_percent for s in rows)
        ours = {address for address in seen if address.startswith("0100007F:")}
        assert ours, "the link was never seen"
        assert not (_listening() - before) & ours
        said = running.run(["sh", "-c", "pidof iperf3 || echo none"])
        assert said.stdout == "none\n"

    def test_the_guest_reaches_nothing(self, running) -> None:
        server = socket.create_server(("127.0.0.1", 0))
        port = server.getsockname()[1]
        link = running.runner(1).facts().extra["path:link"]
        here = running.runner(0)
        assert running.run(["nestkit-serve", "9", "nc", "-l", "-p", "9"], timeout=60).rc == 0
        sleeper = threading.Thread(
            target=here.run,
            args=(["nestkit-link", link, "9", "sleep", "8"],),
            kwargs={"timeout": 120},
        )
        sleeper.start()
        for where in ("10.0.2.2", "10.0.2.3", "192.0.2.1"):
            command = (
                f"ip route add default via 10.0.2.2 2>/dev/null; nc -w 2 {where} {port} </dev/null"
            )
            said = running.run(["sh", "-c", command], timeout=60)
            assert said.rc != 0, (where, said)
        sleeper.join()
        server.close()

    def test_the_link_ends_with_its_command_and_passes_its_status_on(self, running) -> None:
        link = running.runner(1).facts().extra["path:link"]
        here = running.runner(0)
        assert here.run(["nestkit-link", link, "9", "sh", "-c", "exit 7"], timeout=30).rc == 7
        said = here.run(["nestkit-link", link, "9", "echo", "{port}"], timeout=30)
        assert 1024 <= int(said.stdout) <= 65535
        assert here.run(["nestkit-link", link, "9", "no-such-program"], timeout=30).rc == 127
        assert here.run(["nestkit-link", link, "9", "sh", "-c", "kill -9 $$"], timeout=30).rc == 137

    @pytest.mark.parametrize(
        "words", [[], ["x"], ["/nonexistent", "9"], ["/nonexistent", "0", "true"]]
    )
    def test_it_says_how_it_is_used(self, running, words) -> None:
        said = running.runner(0).run(["nestkit-link", *words], timeout=30)
        assert said.rc == 2
        assert "usage" in said.stderr

    def test_a_link_to_nowhere_says_so(self, running) -> None:
        said = running.runner(0).run(["nestkit-link", "/nonexistent/net", "9", "true"], timeout=30)
        assert said.rc == 3
        assert "No such file" in said.stderr

    def test_a_server_that_does_not_start_is_told_with_its_words(self, running) -> None:
        said = running.run(["nestkit-serve", "5201", "iperf3", "--no-such-option"], timeout=60)
        assert said.rc == 1
        assert "no-such-option" in said.stderr


@pytest.mark.lab
@pytest.mark.timeout(300)
def test_a_killed_measurement_leaves_no_process(tmp_path: Path) -> None:
    script = (
        "from nestkit import benchmark, lab\n"
        "with lab.up(depth=1) as up:\n"
        "    print(up._boot.machine.pid, flush=True)\n"
        "    link = up.runner(1).facts().extra['path:link']\n"
        "    up.run(['nestkit-serve', '5201', 'iperf3', '-s'], timeout=60)\n"
        "    up.runner(0).run(['nestkit-link', link, '5201', 'iperf3', '-c', '127.0.0.1', '-p',"
        " '{port}', '-t', '120'], timeout=200)\n"
    )
    env = os.environ | {"NESTKIT_LAB_QUEUE": str(tmp_path / "queue")}
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=env)
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip().isdigit()
        deadline = time.monotonic() + 60
        while not (ours := _links()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert ours
        time.sleep(0.5)
    finally:
        child.kill()
        child.communicate()
    deadline = time.monotonic() + 60
    while set(_links()) & set(ours) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not set(_links()) & set(ours)


def _links() -> list[int]:
    """Processes whose command line has a word nestkit-link or iperf3 in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"ld-linux-x86-64.so.2") and {b"nestkit-link", b"iperf3"} & set(
                words
            ):
                found.append(int(entry.name))
    return found


def test_what_iperf3_says_at_either_end_is_told_apart() -> None:
    parse = WORKLOADS["network"].parse
    received = {"bits_per_second": 8e6, "bytes": 1_000_000, "seconds": 1.0}
    cpu = {"host_total": 1.0, "remote_total": 2.0}
    end = {"sum_received": received, "cpu_utilization_percent": cpu}
    assert parse(json.dumps({"end": end})).cpu_percent == 2.0
