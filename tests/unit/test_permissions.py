"""What containers may have: nothing beyond the defaults without someone who grants it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pushtrain.entities import Push
from pushtrain.errors import SettingsError
from pushtrain.interfaces import EngineFacts, Limits, Mount
from pushtrain.permissions import Grant, grant
from pushtrain.settings import GIB, MIB, OperatorSettings, RepositorySettings

PUSHED = Push("https://git.example.org/team/cats.git", "c" * 40, "main")
OWN = replace(PUSHED, repository="/home/me/cats", is_own_directory=True)
ENGINE = EngineFacts("unix:///x", "20.10.1", "1.41", "overlay2", 8, 16 * GIB, "host", "/var/lib")


def granted(
    wishes: dict[str, Any] | None = None,
    allow: dict[str, Any] | None = None,
    *,
    push: Push = PUSHED,
    engine: EngineFacts = ENGINE,
    **options: Any,
) -> Grant:
    repository = RepositorySettings.model_validate(wishes or {})
    operator = OperatorSettings.model_validate({"allow": allow or {}})
    return grant(push, repository, operator, engine, **options)


def test_who_asks_for_nothing_gets_the_defaults() -> None:
    made = granted()
    assert made.limits == Limits(
        memory=8 * GIB, cpus=8.0, pids=512, disk=4 * GIB, shm=GIB, log=8 * MIB, network=False
    )
    assert made.mounts == ()


# --- what the operator must allow --------------------------------------------------------------

REFUSED = [
    ({"limits": {"network": True}}, {}, "limits.network", "allow.network"),
    (
        {"limits": {"network": True}},
        {"network": ["https://git.example.org/other/*"]},
        "limits.network",
        "allow.network",
    ),
    ({"limits": {"memory": "4GiB"}}, {"memory": "2GiB"}, "limits.memory", "allow.memory"),
    ({"limits": {"disk": "65GiB"}}, {}, "limits.disk", "allow.disk"),
    ({"limits": {"disk": "2GiB"}}, {"disk": "1GiB"}, "limits.disk", "allow.disk"),
    ({"limits": {"log": "1TiB"}}, {}, "limits.log", "allow.log"),
    ({"limits": {"pids": 1_000_000}}, {}, "limits.pids", "allow.pids"),
    ({"data": {"directories": {"/data": "/srv"}}}, {}, "data.directories", "allow.data"),
    (
        {"data": {"directories": {"/data": "/srv/secret"}}},
        {"data": ["/srv/sec", "/srv/data"]},
        "data.directories",
        "allow.data",
    ),
]


@pytest.mark.parametrize(("wishes", "allow", "setting", "allowance"), REFUSED)
def test_more_than_is_allowed_is_refused_by_name(
    wishes: dict[str, Any], allow: dict[str, Any], setting: str, allowance: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        granted(wishes, allow)
    assert caught.value.facts == {"setting": setting, "allowance": allowance}
    assert PUSHED.repository in caught.value.message
    assert allowance in caught.value.hint


@pytest.mark.parametrize(("wishes", "allow", "setting", "allowance"), REFUSED)
def test_an_own_working_directory_needs_no_permission(
    wishes: dict[str, Any], allow: dict[str, Any], setting: str, allowance: str
) -> None:
    made = granted(wishes, allow, push=OWN)
    section, _, name = setting.partition(".")
    if section == "limits":
        asked = getattr(RepositorySettings.model_validate(wishes).limits, name)
        assert getattr(made.limits, name) == asked
    else:
        assert len(made.mounts) == 1


def test_what_is_allowed_is_granted() -> None:
    made = granted(
        {
            "limits": {"network": True, "memory": "2GiB", "disk": "100GiB", "pids": 5000},
            "data": {"directories": {"/data/b": "/srv/data", "/data/a": "/srv/data/cats"}},
        },
        {
            "network": ["https://git.example.org/team/*"],
            "memory": "2GiB",
            "disk": "100GiB",
            "pids": 5000,
            "data": ["/srv/data"],
        },
    )
    limits = made.limits
    assert (limits.network, limits.memory, limits.disk, limits.pids) == (
        True,
        2 * GIB,
        100 * GIB,
        5000,
    )
    assert made.mounts == (Mount("/srv/data/cats", "/data/a"), Mount("/srv/data", "/data/b"))


def test_a_pattern_allows_only_what_it_fits() -> None:
    wishes = {"limits": {"network": True}}
    pattern = {"network": ["https://git.example.org/team/cats.git"]}
    assert granted(wishes, pattern).limits.network
    for other in ("https://git.example.org/TEAM/cats.git", PUSHED.repository + ".evil"):
        with pytest.raises(SettingsError):
            granted(wishes, pattern, push=replace(PUSHED, repository=other))


def test_the_caller_grants_the_network_also_where_nobody_asked() -> None:
    assert granted({"limits": {"network": True}}, network=True).limits.network
    assert granted(network=True).limits.network


def test_the_operators_memory_is_kept_quietly_where_nothing_was_asked() -> None:
    assert granted({}, {"memory": "2GiB"}).limits.memory == 2 * GIB


# --- data directories --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "source"),
    [
        ("data", "/srv/data"),
        ("/data", "srv/data"),
        ("/data", "/srv/data/../secret"),
        ("/data/../etc", "/srv/data"),
        ("", "/srv/data"),
        ("/data", ""),
    ],
)
@pytest.mark.parametrize("push", [PUSHED, OWN])
def test_a_path_that_leads_elsewhere_is_refused_from_anybody(
    target: str, source: str, push: Push
) -> None:
    with pytest.raises(SettingsError, match="must be absolute"):
        granted({"data": {"directories": {target: source}}}, {"data": ["/srv/data"]}, push=push)


# --- what the engine's host has ----------------------------------------------------------------


def test_more_memory_is_granted_up_to_what_is_allowed() -> None:
    asked = {"limits": {"memory": "2GiB"}}
    most = granted(asked).most_memory
    assert most == max(ENGINE.memory - GIB, ENGINE.memory // 2)
    assert granted(asked, {"memory": "6GiB"}).most_memory == 6 * GIB
    assert granted(asked, {"memory": "6GiB"}, push=OWN).most_memory == 6 * GIB
    assert granted(asked, engine=replace(ENGINE, memory=GIB)).most_memory == GIB // 2


def test_a_small_host_keeps_some_memory_for_itself() -> None:
    assert granted(engine=replace(ENGINE, memory=4 * GIB)).limits.memory == 3 * GIB
    tiny = granted(engine=replace(ENGINE, memory=GIB)).limits
    assert (tiny.memory, tiny.shm) == (GIB // 2, GIB // 2)


@pytest.mark.parametrize("parallel", [2, 4])
def test_parallel_workers_share_the_host(parallel: int) -> None:
    limits = granted(parallel=parallel).limits
    assert limits.cpus == 8 / parallel
    assert limits.memory * parallel <= 15 * GIB


def test_more_workers_than_cpus_get_half_a_cpu_each() -> None:
    assert granted(parallel=64).limits.cpus == 0.5


@pytest.mark.parametrize(("asked", "given"), [(2.5, 2.5), (100, 8.0)])
def test_cpus_are_what_was_asked_but_no_more_than_there_are(asked: float, given: float) -> None:
    assert granted({"limits": {"cpus": asked}}).limits.cpus == given
