"""What all commands share: the server that the environment names."""

from __future__ import annotations

import os

from pushtrain.ci.access import Access, find_access
from pushtrain.ci.definitions import FOLDER
from pushtrain.ci.real_jenkins import RealJenkins
from pushtrain.ci.server import JenkinsServer
from pushtrain.settings import home


def access() -> Access:
    """The way to the server; raises SettingsError."""
    return find_access(os.environ, home())


def open_server(way: Access | None = None) -> JenkinsServer:
    """The server; raises SettingsError. It is not asked anything yet."""
    return RealJenkins(way or access())


def full_name(job: str) -> str:
    """A job's full name: "digits" is in our folder, "elsewhere/digits" where it says."""
    return job if "/" in job else f"{FOLDER}/{job}"
