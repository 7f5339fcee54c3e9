"""The metrics: parsed by Prometheus, summed over workers, and all documented.

Covers src/builtin/metrics.c.
"""

import re
import signal
import time
from pathlib import Path

import pytest
from command import DEADLINE_S, request, serve, talk
from serving import Serving, answer

parser = pytest.importorskip("prometheus_client.parser")
DOCS = Path(__file__).parents[2] / "docs" / "METRICS.md"
CLOSE = "Connection: close\r\n"


async def app(scope, receive, send):
    """Respond with the status in the path."""
    await answer(send, b"hello", int(scope["path"][1:] or 200))


def read(text):
    """Return families by name, and samples by name and labels."""
    families = {f.name: f for f in parser.text_string_to_metric_families(text)}
    samples = {
        (s.name, *sorted(s.labels.items())): s.value
        for family in families.values()
        for s in family.samples
    }
    return families, samples


def scrape(serving):
    """Return the metrics at /metrics."""
    got = serving.ask("/metrics")
    assert got.status == 200
    assert got.field("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    return read(got.body.decode())


def test_prometheus_can_parse_the_metrics():
    with Serving(app, metrics_path="/metrics") as serving:
        for status in (200, 200, 404, 500):
            serving.ask(f"/{status}")
        families, samples = scrape(serving)
    assert samples["bolide_requests_total", ("status", "2xx")] == 2
    assert samples["bolide_requests_total", ("status", "4xx")] == 1
    assert samples["bolide_requests_total", ("status", "5xx")] == 1
    assert families["bolide_request_duration_seconds"].type == "histogram"
    assert samples["bolide_request_duration_seconds_count",] == 4
    buckets = [
        (float(dict(key[1:])["le"]), value)
        for key, value in samples.items()
        if key[0] == "bolide_request_duration_seconds_bucket"
    ]
    assert buckets == sorted(buckets)
    assert [n for _, n in buckets] == sorted(n for _, n in buckets)
    assert buckets[-1] == (float("inf"), 4)
    assert all(f.documentation and f.type != "unknown" for f in families.values())


def test_each_worker_has_its_age_and_memory():
    with Serving(app, metrics_path="/metrics") as serving:
        _, samples = scrape(serving)
    by_name = {key[0]: value for key, value in samples.items()}
    assert by_name["bolide_workers"] == 1
    assert by_name["bolide_worker_resident_bytes"] > 1 << 20
    assert 0 <= by_name["bolide_worker_age_seconds"] < DEADLINE_S
    assert by_name["bolide_connections"] == 1


def test_the_document_names_every_metric_with_its_type_and_no_other():
    with Serving(app, metrics_path="/metrics") as serving:
        families, _ = scrape(serving)
    rows = re.findall(
        r"^\| `((?:bolide|process)_\w+)` \| (\w+) \|", DOCS.read_text("utf-8"), re.M
    )
    told = {name.removesuffix("_total"): kind for name, kind in rows}
    assert told == {name: family.type for name, family in families.items()}


def test_the_document_names_every_value_of_a_label():
    with Serving(app, metrics_path="/metrics") as serving:
        _, samples = scrape(serving)
    rows = re.findall(
        r"^\| `(bolide_\w+)` \|.*?\| `(\w+)`: ([^|]+) \|", DOCS.read_text("utf-8"), re.M
    )
    assert rows
    for name, label, values in rows:
        told = set(re.findall(r"`(\w+)`", values))
        if " to " in values:
            told |= {f"{i}xx" for i in range(1, 6)}
        assert told == {dict(key[1:])[label] for key in samples if key[0] == name}, name


def inside_port(command):
    line = command.err.line_with("health, metrics and status on ")
    return int(line.rpartition(":")[2])


def total(port, name):
    """Return the sum of a metric's samples."""
    text = talk(port, request("/metrics", CLOSE)).decode().partition("\r\n\r\n")[2]
    _, samples = read(text)
    return sum(value for key, value in samples.items() if key[0] == name)


def test_counters_are_summed_over_workers_including_ended_ones():
    words = ["--workers", "2", "--metrics-bind", "127.0.0.1:0"]
    with serve("hello", *words) as command:
        port, inside = command.port(), inside_port(command)
        for _ in range(20):
            talk(port, request("/", CLOSE))
        assert total(inside, "bolide_requests_total") == 20
        assert total(inside, "bolide_workers") == 2
        command.signal(signal.SIGHUP)
        command.err.line_with("reloaded: 2 new workers are serving")
        end = time.monotonic() + DEADLINE_S
        while total(inside, "bolide_workers") != 2:
            assert time.monotonic() < end
            time.sleep(0.05)
        talk(port, request("/", CLOSE))
        assert total(inside, "bolide_requests_total") == 21
        assert command.stop() == 0
