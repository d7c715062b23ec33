"""The scripts of this directory, run once through the real adapters; a test looks at one result.

Where: in a container of the training image that the catalog has for them, or beside the
interpreter that PUSHTRAIN_TEST_PYTHON names, which must have the frameworks (quicker to work with).
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pushtrain.engine.connection import Connection
from pushtrain.interfaces import LABEL_RUN
from pushtrain.trial.bundle import worker_files

HERE = Path(__file__).parents[1] / "adapters"
ROOT = HERE.parents[1]
SCRIPTS = HERE / "scripts"
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


_COMMAND = (
    "cd /tmp; while [ ! -e cases.tar ]; do sleep 0.1; done; mkdir work && cd work && "
    "tar -xf ../cases.tar && exec python {driver} lib cases out.json"
)

LayOut = Callable[[Path], None]
"""Makes the cases in a directory."""


@dataclass(frozen=True)
class Script:
    """A script, and what its own comments say must be captured of it."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @property
    def expected(self) -> dict[str, str]:
        """`# name: value` and `# name` lines at its head."""
        return dict(re.findall(r"^# (\w+):? ?(.*)$", self.text, re.M))

    @property
    def measured(self) -> set[tuple[int, str, str]]:
        """(line, role, metric) of the lines that end in `#: role metric...`."""
        return {
            (number, marked[1], metric)
            for number, line in enumerate(self.text.splitlines(), 1)
            if (marked := re.search(r"#: (\S+) (.+)$", line))
            for metric in marked[2].split()
        }


def scripts() -> list[Script]:
    return [Script(path) for path in sorted(SCRIPTS.glob("*.py"))]


def samples() -> list[Script]:
    return [Script(path) for path in sorted((ROOT / "model").glob("*/*.py"))]


def lay_out(cases: Path) -> None:
    """A directory for each case: a script with adapters, and where it says so bare and twice."""
    for script in [*scripts(), *samples()]:
        is_sample = script.path.parent != SCRIPTS
        name = script.path.parent.name if is_sample else script.name
        _case(cases / name, script, "adapted")
        if "compare" in script.expected or is_sample:
            _case(cases / f"{name}.bare", script, "bare")
        if "twice" in script.expected:
            _case(cases / f"{name}.twice", script, "adapted")


def _case(folder: Path, script: Script, how: str) -> None:
    folder.mkdir()
    shutil.copyfile(script.path, folder / script.path.name)
    record = {
        "entry": script.path.name,
        "seed": 11,
        "how": how,
        "preload": ["keras", "tensorflow", "sklearn"],
    }
    (folder / "case.json").write_text(json.dumps(record))


def run_in_container(
    connection: Connection,
    image: str,
    run: str,
    folder: Path,
    lay_out: LayOut = lay_out,
    driver: str = "driver.py",
) -> dict[str, Any]:
    """Runs all cases in a container of a training image, without a network, as its user."""
    cases = folder / "cases"
    cases.mkdir()
    lay_out(cases)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in _files(cases):
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid, info.gid = len(content), 0o644, 1000, 1000
            archive.addfile(info, io.BytesIO(content))
    with connection.calling("the adapters' scripts do not run") as client:
        made = client.create_container(
            image,
            ["/bin/sh", "-c", _COMMAND.format(driver=driver)],
            user="1000:1000",
            environment={**ENVIRONMENT, "HOME": "/tmp", "USER": "trainer"},
            labels={LABEL_RUN: run},
            host_config=client.create_host_config(network_mode="none", shm_size="256m"),
        )
        container = made["Id"]
        client.start(container)
        client.put_archive(container, "/tmp", _alone("cases.tar", stream.getvalue()))
        code = client.wait(container, timeout=1800)["StatusCode"]
        if code:
            raise RuntimeError(client.logs(container, tail=100).decode("utf-8", "replace"))
        pieces, _ = client.get_archive(container, "/tmp/work/out.json")
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            member = archive.extractfile("out.json")
            assert member is not None
            results = dict(json.load(member))
        client.remove_container(container, force=True, v=True)
    return results


def _alone(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.uid, info.gid = len(content), 0o644, 1000, 1000
        archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def run_beside(
    python: str, folder: Path, lay_out: LayOut = lay_out, driver: str = "driver.py"
) -> dict[str, Any]:
    """Runs all cases with an interpreter of this machine."""
    cases = folder / "cases"
    cases.mkdir()
    lay_out(cases)
    results = folder / "results.json"
    command = [python, str(HERE / driver), str(ROOT / "src"), str(cases), str(results)]
    subprocess.run(command, check=True, env={**os.environ, **ENVIRONMENT})
    return dict(json.loads(results.read_text()))


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """What a container needs: the drivers, the worker as every trial gets it, and the cases."""
    for path in HERE.glob("*driver.py"):
        yield path.name, path.read_bytes()
    for file in worker_files():
        assert file.content is not None
        yield f"lib/{file.path}", file.content
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield f"cases/{path.relative_to(folder)}", path.read_bytes()


def told(result: Mapping[str, Any]) -> set[tuple[int, str, str]]:
    """(line, role, metric) of every measurement."""
    return {
        (
            int(found[1]) if (found := re.search(r":(\d+)$", one["source"])) else 0,
            one["role"],
            one["metric"],
        )
        for one in result["measurements"]
    }


def plain(output: str) -> str:
    """What was printed, without times: no two runs take the same, nor draw as often on the way."""
    output = "\n".join(line for line in re.split(r"[\r\n]+", output) if "━" not in line)
    output = re.sub(r"\d+(\.\d+)?(us|ms|s)(/(step|epoch))?\b", "TIME", output)
    return re.sub(r"^(I|W|E)0000.*\n|^WARNING: All log.*\n", "", output, flags=re.M)
