"""What the container's control group knows, in both versions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pushtrain.worker import cgroup


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    write(
        tmp_path,
        memory__memory_dot_oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
        memory__memory_dot_usage_in_bytes="1000\n",
        memory__memory_dot_stat="inactive_file 5\ntotal_inactive_file 200\n",
        memory__memory_dot_limit_in_bytes="5000\n",
        pids__pids_dot_events="max 7\n",
        cpu__cpu_dot_cfs_quota_us="50000\n",
        cpu__cpu_dot_cfs_period_us="100000\n",
    )
    return tmp_path


@pytest.fixture
def version_2(tmp_path: Path) -> Path:
    write(
        tmp_path,
        memory_dot_events="low 0\nhigh 0\nmax 12\noom 4\noom_kill 3\n",
        memory_dot_current="1000\n",
        memory_dot_stat="anon 5\ninactive_file 200\n",
        memory_dot_max="5000\n",
        pids_dot_events="max 7\n",
        cpu_dot_max="50000 100000\n",
    )
    return tmp_path


@pytest.mark.parametrize("version", ["version_1", "version_2"])
def test_both_versions_say_the_same(request: pytest.FixtureRequest, version: str) -> None:
    root: Path = request.getfixturevalue(version)

    assert cgroup.hits(root) == cgroup.Hits(oom_kills=3, pids=7)
    assert cgroup.memory(root) == 800
    assert cgroup.processors(root) == 1
    assert cgroup.spare(root, root / "meminfo") == 4200


def test_no_more_memory_can_be_used_than_there_is(version_2: Path) -> None:
    machine = version_2 / "meminfo"
    machine.write_text("MemTotal:  9 kB\nMemAvailable:        3 kB\n")
    assert cgroup.spare(version_2, machine) == 3072
    (version_2 / "memory.max").write_text("max\n")
    assert cgroup.spare(version_2, machine) == 3072
    (version_2 / "memory.max").write_text("10\n")
    assert cgroup.spare(version_2, machine) == 0


def test_where_nothing_is_said_nothing_is_known(tmp_path: Path) -> None:
    assert cgroup.hits(tmp_path) == cgroup.Hits(0, 0)
    assert cgroup.memory(tmp_path) == 0
    assert cgroup.spare(tmp_path, tmp_path / "meminfo") == 0
    assert cgroup.processors(tmp_path) == len(os.sched_getaffinity(0))


def test_no_quota_is_no_limit(tmp_path: Path) -> None:
    write(tmp_path, cpu_dot_max="max 100000\n")
    assert cgroup.processors(tmp_path) == len(os.sched_getaffinity(0))
