"""The environment that frameworks are imported in, and scripts run in."""

from __future__ import annotations

import os

from pushtrain.worker import cgroup
from pushtrain.worker.orders import Configuration, Places

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
"""Libraries count the machine's cores, of which the container may use only some."""


def set_up(places: Places, configuration: Configuration) -> None:
    """Sets the variables that a framework looks at when it is imported; what is set stays."""
    home = places.tmp / "home"
    home.mkdir(parents=True, exist_ok=True)
    os.environ.update(HOME=str(home), TMPDIR=str(places.tmp), MPLBACKEND="Agg")
    os.environ.pop("DISPLAY", None)
    cores = str(cgroup.processors())
    for name in ("USER", "LOGNAME"):
        os.environ.setdefault(name, "trainer")
    for name in _THREADS:
        os.environ.setdefault(name, cores)
    # Threads that wait by spinning take the time of those they wait for, where cores are shared.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.update(configuration.environment)
