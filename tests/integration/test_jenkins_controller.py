"""The controller's image, built on a stand-in for Jenkins' own, which cannot be had everywhere."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

JENKINS = Path(__file__).parents[2] / "jenkins"
_STAND_IN = """
FROM {busybox}
RUN echo 'jenkins:x:1000:1000::/var/jenkins_home:/bin/sh' >>/etc/passwd \\
    && echo 'jenkins:x:1000:' >/etc/group \\
    && echo '#!/bin/sh' >/bin/jenkins-plugin-cli && chmod 755 /bin/jenkins-plugin-cli
USER jenkins
"""

pytestmark = pytest.mark.engine


def _docker(*arguments: str, text: str | None = None) -> str:
    done = subprocess.run(
        ("docker", *arguments), input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def controller(busybox: str, run_id: str) -> Iterator[str]:
    """The tag of an image made by the controller's Dockerfile."""
    base, tag = f"stand-in:{run_id}", f"controller:{run_id}"
    _docker("build", "--tag", base, "-", text=_STAND_IN.format(busybox=busybox))
    file = str(JENKINS / "controller" / "Dockerfile")
    _docker("build", "--build-arg", f"JENKINS={base}", "--tag", tag, "--file", file, str(JENKINS))
    yield tag
    _docker("image", "rm", "--force", tag, base)


def test_the_controller_leaves_the_secret_where_the_agent_reads_it(
    controller: str, run_id: str
) -> None:
    """A volume that is new belongs to root, unless the image has its place for somebody."""
    services = yaml.safe_load((JENKINS / "compose.yaml").read_text("utf-8"))["services"]
    (place,) = (
        mount.split(":")[1]
        for mount in services["controller"]["volumes"]
        if mount.startswith("agent-secret:")
    )
    assert f"agent-secret:{place}:ro" in services["agent"]["volumes"]
    volume = f"{run_id}-{os.getpid()}-{secrets.token_hex(4)}"
    label = ("--label", f"pushtrain.run={run_id}")
    mount = ("run", "--rm", *label, "--volume", f"{volume}:{place}")
    try:
        _docker(*mount, controller, "sh", "-c", f"id -u && echo of the agent >{place}/secret")
        said = _docker(*mount, "--user", "4711", controller, "cat", f"{place}/secret")
        assert said == "of the agent\n"
        assert _docker(*mount, controller, "id", "-un") == "jenkins\n"
    finally:
        _docker("volume", "rm", volume)
