"""How many workers "auto" means, and how many requests each of them serves."""

import os

import pytest
from crews import pids, workers

from bolide.config.config import Config
from bolide.system.process_info import cpu_count


@pytest.fixture
def count(tmp_path, monkeypatch):
    """Return the number of CPUs, of 16, for a process in the cgroup "/a/b"."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))

    def count(files, own="0::/a/b\n"):
        for name, text in files.items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "own").write_text(own)
        return cpu_count(str(tmp_path / "root"), str(tmp_path / "own"))

    return count


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({}, 16),
        ({"cpu.max": "max 100000\n"}, 16),
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "250000 100000\n"}, 3),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "9900000 100000\n"}, 16),
        ({"a/cpu.max": "400000 100000\n", "a/b/cpu.max": "max 100000\n"}, 4),
        ({"a/cpu.max": "400000 100000\n", "a/b/cpu.max": "300000 100000\n"}, 3),
        ({"a/c/cpu.max": "100000 100000\n"}, 16),
        ({"cpu.max": "nonsense\n"}, 16),
        ({"cpu.max": "100000 0\n"}, 16),
    ],
)
def test_a_quota_of_cgroups_v2_is_respected(count, files, cpus):
    assert count(files) == cpus


@pytest.mark.parametrize(
    ("quota", "cpus"), [("-1\n", 16), ("150000\n", 2), ("600000\n", 6)]
)
@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct/a/b"])
def test_a_quota_of_cgroups_v1_is_respected(count, folder, quota, cpus):
    files = {
        f"{folder}/cpu.cfs_quota_us": quota,
        f"{folder}/cpu.cfs_period_us": "100000\n",
    }
    assert count(files, "4:memory:/x\n3:cpu,cpuacct:/a/b\n") == cpus


def test_auto_starts_one_worker_per_cpu():
    with workers("auto") as command:
        command.port()
        assert len(pids(command)) == cpu_count()
        assert command.stop() == 0


def test_each_worker_draws_its_own_maximum_of_requests():
    config = Config("a:b", limit_max_requests=100, limit_max_requests_jitter=20)
    drawn = {config.draw_max_requests() for _ in range(500)}
    assert min(drawn) >= 100
    assert max(drawn) <= 120
    assert len(drawn) > 15


def test_without_jitter_all_workers_have_the_same_maximum():
    assert Config("a:b", limit_max_requests=7).draw_max_requests() == 7
    assert Config("a:b", limit_max_requests_jitter=7).draw_max_requests() == 0


def test_forked_workers_draw_different_numbers():
    """Random numbers are seeded again in each process."""
    config = Config("a:b", limit_max_requests=1, limit_max_requests_jitter=1 << 40)
    config.draw_max_requests()
    drawn = set()
    for _ in range(4):
        told, tells = os.pipe()
        if os.fork() == 0:
            os.write(tells, b"%d" % config.draw_max_requests())
            os._exit(0)
        os.close(tells)
        drawn.add(os.read(told, 64))
        os.close(told)
        os.wait()
    assert len(drawn) == 4
