"""What the tools print: real outputs, the same cut off anywhere, and outputs that lie."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestkit.benchmark.parsers import (
    Reading,
    parse_fio_read,
    parse_fio_write,
    parse_iperf3,
    parse_perf_bench,
    parse_probe,
    parse_sysbench_cpu,
    parse_sysbench_memory,
    shorten,
)
from nestkit.errors import RunError

DATA = Path(__file__).parent / "data"
REAL: dict[str, tuple[Callable[[str], Reading], str]] = {
    path.name: (parse, path.read_text(encoding="utf-8"))
    for pattern, parse in (
        ("sysbench-cpu-*.txt", parse_sysbench_cpu),
        ("sysbench-memory-*.txt", parse_sysbench_memory),
        ("fio-*-randread*.json", parse_fio_read),
        ("fio-*-randwrite*.json", parse_fio_write),
        ("probe-*.txt", parse_probe),
        ("iperf3-*.json", parse_iperf3),
        ("perf-bench-*.txt", parse_perf_bench),
    )
    for path in sorted(DATA.glob(pattern))
}


FIO = ["3.33", "3.39"]


def test_there_is_a_real_output_of_every_tool_in_two_versions() -> None:
    """sysbench has one release in all distributions; the probe is built with the lab."""
    versions: dict[str, set[str]] = {}
    for name in REAL:
        versions.setdefault(name.split("-")[0], set()).update(re.findall(r"-(\d+\.[\d.]*\d)", name))
    assert versions == {
        "fio": {"3.33", "3.39"}, "iperf3": {"3.12", "3.18"}, "perf": {"6.1", "6.12"},
        "sysbench": {"1.0.20"}, "probe": set(),
    }  # fmt: skip


@pytest.mark.parametrize("name", [n for n in REAL if n.startswith(("fio", "iperf3", "sysbench"))])
def test_a_recorded_output_is_of_the_version_its_name_says(name: str) -> None:
    tool, version = re.findall(r"^([a-z]+).*?-(\d+\.[\d.]*\d)", name)[0]
    assert re.search(rf"{tool}[ -]{re.escape(version)}\b", REAL[name][1])


@pytest.mark.parametrize("package", ["", "-debian13"])
def test_sysbench_is_read_as_it_prints(package: str) -> None:
    parse, text = REAL[f"sysbench-cpu-1.0.20{package}.txt"]
    reading = parse(text)
    assert reading.operations == 300
    assert reading.value == pytest.approx(reading.operations / reading.elapsed_s, rel=0.01)


@pytest.mark.parametrize("version", FIO)
def test_fio_is_read_as_it_prints(version: str) -> None:
    parse, text = REAL[f"fio-{version}-randread.json"]
    read = json.loads(text)["jobs"][0]["read"]
    reading = parse(text)
    assert reading.value == read["iops"]
    assert reading.elapsed_s == read["runtime"] / 1000
    assert reading.operations / reading.elapsed_s == pytest.approx(reading.value, rel=0.01)


@pytest.mark.parametrize("package", ["", "-debian13"])
def test_sysbench_memory_is_read_as_it_prints(package: str) -> None:
    parse, text = REAL[f"sysbench-memory-1.0.20{package}.txt"]
    reading = parse(text)
    assert reading.operations == 2000
    assert reading.value == pytest.approx(reading.operations / reading.elapsed_s, rel=0.1)


def test_the_start_of_sysbench_s_thread_is_not_counted() -> None:
    parse, text = REAL["sysbench-cpu-1.0.20.txt"]
    slow_start = re.sub(r"(total time: +)[\d.]+", r"\g<1>0.4760", text)
    slow_start = re.sub(r"(second: +)[\d.]+", r"\g<1>630.25", slow_start)
    assert parse(slow_start).value == parse(text).value == pytest.approx(300 / 0.23638)


@pytest.mark.parametrize("version", FIO)
@pytest.mark.parametrize("mode", ["read", "write"])
def test_fio_says_how_much_cpu_its_requests_took(mode: str, version: str) -> None:
    parse, text = REAL[f"fio-{version}-rand{mode}-32.json"]
    job = json.loads(text)["jobs"][0]
    reading = parse(text)
    assert reading.value == job[mode]["iops"]
    assert reading.cpu_percent == job["usr_cpu"] + job["sys_cpu"]
    assert reading.cpu_percent > 0
    del job["sys_cpu"]
    assert parse(json.dumps({"jobs": [job]})).cpu_percent is None


@pytest.mark.parametrize("version", ["3.12", "3.18"])
def test_iperf3_is_read_as_it_prints(version: str) -> None:
    parse, text = REAL[f"iperf3-{version}.json"]
    end = json.loads(text)["end"]
    reading = parse(text)
    assert reading.value == end["sum_received"]["bits_per_second"]
    assert reading.value == pytest.approx(reading.operations * 8 / reading.elapsed_s, rel=0.01)
    assert reading.cpu_percent == end["cpu_utilization_percent"]["host_total"]


@pytest.mark.parametrize(
    "text",
    ['{"error": "unable to connect to server: Connection refused"}', "{}", "[]", '{"end": 3}', "3",
     '{"end": {"sum_received": {"bits_per_second": 0, "bytes": 1, "seconds": 1}}}'],
)  # fmt: skip
def test_iperf3_that_measured_nothing_is_an_error(text: str) -> None:
    with pytest.raises(RunError) as caught:
        parse_iperf3(text)
    assert caught.value.remedy


@pytest.mark.parametrize("version", ["6.1", "6.12"])
def test_perf_bench_is_read_as_it_prints(version: str) -> None:
    parse, text = REAL[f"perf-bench-syscall-{version}.txt"]
    reading = parse(text)
    assert reading.operations == 300_000
    assert reading.value == pytest.approx(reading.elapsed_s * 1e6 / reading.operations, rel=0.01)
    with_commas = text.replace("300000", "300,000")
    assert parse(with_commas) == reading


# what a later version could change without a field going: the unit of a rate, a count or a time
OTHER_UNITS = {
    "fio-3.39-randread.json": [r'("runtime" : )(\d+)', r'("total_ios" : )(\d+)'],
    "iperf3-3.18.json": [r'("seconds":\t)([\d.]+)', r'("bytes":\t)(\d+)'],
    "perf-bench-syscall-6.12.txt": [r"(Total time: )([\d.]+)", r"(\n +)([\d.]+)(?= usecs/op)"],
    "sysbench-cpu-1.0.20-debian13.txt": [r"(total time: +)([\d.]+)", r"(second: +)([\d.]+)"],
    "sysbench-memory-1.0.20-debian13.txt": [r"(total time: +)([\d.]+)", r"(\()([\d.]+)(?= MiB/s)"],
}


@pytest.mark.parametrize(
    ("name", "pattern"), [(name, p) for name, patterns in OTHER_UNITS.items() for p in patterns]
)
def test_a_version_that_counts_in_another_unit_is_an_error(name: str, pattern: str) -> None:
    parse, text = REAL[name]
    other = re.sub(pattern, lambda m: f"{m[1]}{float(m[2]) * 1000:.0f}", text)
    assert other != text
    with pytest.raises(RunError, match="contradicts itself") as caught:
        parse(other)
    assert "version" in caught.value.remedy


def test_the_version_that_cannot_be_read_is_named() -> None:
    data = json.loads(REAL["fio-3.39-randread.json"][1]) | {"fio version": "fio-4.0"}
    del data["jobs"][0]["read"]["iops"]
    with pytest.raises(RunError, match=r"\(fio-4\.0\) has no usable read\.iops"):
        parse_fio_read(json.dumps(data))


def test_a_write_is_not_taken_for_a_read() -> None:
    with pytest.raises(RunError):
        parse_fio_read(REAL["fio-3.33-randwrite-32.json"][1])


def test_fio_may_say_something_before_its_json() -> None:
    parse, text = REAL["fio-3.33-randread.json"]
    note = "note: both iodepth >= 1 and synchronous I/O engine are selected\n"
    assert parse(note + text) == parse(text)


def test_the_probe_is_read_as_it_prints() -> None:
    reading = parse_probe("ops 29951\nns_per_op 6690.221\n")
    assert reading == Reading(value=6690.221, operations=29951, elapsed_s=29951 * 6690.221 / 1e9)
    assert parse_probe(REAL["probe-exit.txt"][1]).elapsed_s == pytest.approx(0.2, rel=0.05)


def test_a_probe_that_contradicts_itself_is_an_error() -> None:
    """The operations cannot have taken longer than the whole measurement did."""
    assert parse_probe("guest_s 0.200500\nops 1000\nns_per_op 200000.000\n").elapsed_s == 0.2
    with pytest.raises(RunError, match="contradicts itself"):
        parse_probe("guest_s 0.100000\nops 1000\nns_per_op 200000.000\n")


@pytest.mark.parametrize("name", REAL)
@given(data=st.data())
def test_an_output_cut_off_is_an_error_or_still_right(name: str, data: st.DataObject) -> None:
    parse, text = REAL[name]
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    try:
        assert parse(cut) == parse(text)
    except RunError as error:
        assert error.remedy
        assert len(error.message) < 300
    else:
        assert len(cut) > len(text) * 0.8


@pytest.mark.parametrize("parse", sorted({p for p, _ in REAL.values()}, key=repr))
@given(text=st.text())
def test_any_text_is_a_reading_or_a_run_error(parse: Callable[[str], Reading], text: str) -> None:
    with pytest.raises(RunError):
        parse(text)


@pytest.mark.parametrize("bad", ["nan", "0.00", "inf", "-1", "", "1,5"])
def test_sysbench_values_that_are_no_rate_are_errors(bad: str) -> None:
    parse, text = REAL["sysbench-cpu-1.0.20.txt"]
    rate = next(line for line in text.splitlines() if "events per second" in line).split()[-1]
    with pytest.raises(RunError):
        parse(text.replace(rate, bad))


@pytest.mark.parametrize("key", ["iops", "total_ios", "runtime"])
@pytest.mark.parametrize("bad", [0, 1e-3, -1, None, "many", float("nan"), float("inf"), True, [1]])
def test_fio_values_that_are_no_rate_are_errors(key: str, bad: object) -> None:
    parse, text = REAL["fio-3.33-randread.json"]
    data = json.loads(text)
    data["jobs"][0]["read"][key] = bad
    with pytest.raises(RunError):
        parse(json.dumps(data))


def test_fio_says_in_its_json_that_it_failed() -> None:
    parse, text = REAL["fio-3.33-randread.json"]
    data = json.loads(text)
    data["jobs"][0]["error"] = 22
    with pytest.raises(RunError, match="error 22"):
        parse(json.dumps(data))


@pytest.mark.parametrize(
    "text", ['{"jobs": []}', '{"jobs": [3]}', "{}", "[" * 100_000, '{"jobs": [{"error": 0}]}']
)
def test_json_that_is_not_fios_is_an_error(text: str) -> None:
    with pytest.raises(RunError):
        parse_fio_read(text)


def test_an_old_sysbench_without_a_rate_is_an_error_that_names_the_version() -> None:
    old = "General statistics:\n    total time:  10.0s\n    total number of events: 10\n"
    with pytest.raises(RunError) as caught:
        parse_sysbench_cpu(old)
    assert "version" in caught.value.remedy


def test_a_message_repeats_only_the_end_of_a_long_text() -> None:
    assert len(shorten("x" * 100_000)) < 200
    assert shorten("a\n b\t c") == "a b c"
