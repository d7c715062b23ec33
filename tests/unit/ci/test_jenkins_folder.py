"""What lies in jenkins/: plugins that fit together, a configuration, services, images."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pushtrain.ci.plugins import needed
from support.jenkins_replay import DATA, recordings
from support.pipeline import check_groovy

JENKINS = Path(__file__).parents[3] / "jenkins"


def _pinned() -> dict[str, str]:
    lines = (JENKINS / "plugins.txt").read_text("utf-8").splitlines()
    pins = [line.partition("#")[0].strip() for line in lines]
    return dict(pin.split(":") for pin in pins if pin)


def test_plugins_are_a_part_of_what_the_recorded_server_has() -> None:
    with (DATA / "plugins.tsv").open(encoding="utf-8") as file:
        there = {
            row["name"]: row["version"]
            for row in csv.DictReader(file, delimiter="\t")
            if row["active"] == "True"
        }
    assert _pinned().items() <= there.items()


def test_plugins_bring_all_that_they_need_and_nothing_else() -> None:
    answer = next(one.body for one in recordings() if one.number == 124)
    depends = {
        one["shortName"]: [d["shortName"] for d in one["dependencies"] if not d["optional"]]
        for one in json.loads(answer)["plugins"]
    }
    wanted = {one.name for one in needed()}
    todo = list(wanted)
    while todo:
        for name in depends[todo.pop()]:
            if name not in wanted:
                wanted.add(name)
                todo.append(name)
    assert set(_pinned()) == wanted


def test_every_plugin_that_is_used_says_what_for() -> None:
    assert all(one.purpose and one.version for one in needed())


def _casc() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((JENKINS / "casc.yaml").read_text("utf-8"))
    return loaded


def test_the_configuration_is_what_jenkins_takes() -> None:
    schema = json.loads((DATA / "casc-schema.json").read_text("utf-8"))
    jsonschema.validate(_casc(), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"jenkins": {"nosuch": 1}}, schema)


def test_nothing_is_built_on_the_controller_and_nobody_reads_unknown() -> None:
    jenkins = _casc()["jenkins"]
    assert jenkins["numExecutors"] == 0
    strategy = jenkins["authorizationStrategy"]["loggedInUsersCanDoAnything"]
    assert strategy == {"allowAnonymousRead": False}
    (admin,) = jenkins["securityRealm"]["local"]["users"]
    assert admin["password"] == "${admin-password}"  # ${readFile:...} would keep its line's end


def _compose() -> dict[str, Any]:
    """The services as Compose itself understands them."""
    docker, old = shutil.which("docker"), shutil.which("docker-compose")
    new = (
        docker
        and not subprocess.run(
            [docker, "compose", "version"], capture_output=True, check=False
        ).returncode
    )
    if not new and not old:
        pytest.fail("this test needs Compose: apt-get install docker-compose", pytrace=False)
    program = [str(docker), "compose"] if new else [str(old)]
    done = subprocess.run(
        [*program, "-f", str(JENKINS / "compose.yaml"), "config"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = yaml.safe_load(done.stdout)
    return loaded


def test_the_services() -> None:
    services = _compose()["services"]
    assert set(services) == {"controller", "agent", "mail"}
    for name, service in services.items():
        assert "healthcheck" in service, name
    mounts = {name: str(one.get("volumes", "")) for name, one in services.items()}
    assert [name for name, mounted in mounts.items() if "docker.sock" in mounted] == ["agent"]
    assert [name for name, mounted in mounts.items() if "/run/secrets" in mounted] == ["controller"]


def test_all_ports_are_on_loopback() -> None:
    text = (JENKINS / "compose.yaml").read_text("utf-8")
    ports = [
        port for one in yaml.safe_load(text)["services"].values() for port in one.get("ports", ())
    ]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("path", sorted(JENKINS.glob("controller/init.groovy.d/*")), ids=str)
def test_what_the_controller_runs_at_its_start_is_groovy(path: Path) -> None:
    check_groovy(path)


def test_what_the_images_copy_is_there() -> None:
    controller = (JENKINS / "controller" / "Dockerfile").read_text("utf-8")
    for source in re.findall(r"^COPY (\S+) ", controller, re.MULTILINE):
        assert (JENKINS / source).exists(), source
    for script in ("agent", "pushtrain"):
        assert os.access(JENKINS / "agent" / script, os.X_OK)
