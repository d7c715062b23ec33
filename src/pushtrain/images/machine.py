"""What the machine that builds gives to an image: base, certificates, indexes, wheels."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from pushtrain.errors import ImageError
from pushtrain.images.indexes import PackageSource, read_package_source

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True, slots=True)
class Machine:
    """The building machine's own configuration, as far as images depend on it.

    Attributes:
        python: the Python of the base image ("3.11").
        base_image: BASE_IMAGE, or None to make one from the machine's Debian mirror.
        suite: the release whose packages make the base image ("bookworm").
        certificates: the certificates that the machine trusts, as a PEM bundle.
        packages: where pip and uv find packages.
        proxies: proxy variables for the build, in lower case.
        builds_sdists: whether packages that have no wheel may be built, which runs their code
            with the build's network.
    """

    python: str
    base_image: str | None = None
    suite: str | None = None
    certificates: bytes = b""
    packages: PackageSource = field(default_factory=PackageSource)
    proxies: Mapping[str, str] = field(default_factory=dict)
    builds_sdists: bool = False

    @classmethod
    def from_environment(
        cls, pythons: Mapping[str, str], environment: Mapping[str, str] | None = None
    ) -> Machine:
        """Reads the machine's configuration.

        Args:
            pythons: which Python each release of Debian and Ubuntu has, by codename.
            environment: the variables that count (default: the process's own).

        Raises:
            ImageError: neither BASE_IMAGE nor a known release says what the base image is.
        """
        given = os.environ if environment is None else environment
        base = given.get("BASE_IMAGE") or None
        suite = None if base else _suite()
        return cls(
            python=_python_of(base, given) if base else _python_in(suite, pythons),
            base_image=base,
            suite=suite,
            certificates=_certificates(given),
            packages=read_package_source(given),
            proxies={
                name: value
                for name in _PROXIES
                if (value := given.get(name) or given.get(name.upper()))
            },
            builds_sdists=given.get("PUSHTRAIN_BUILD_SDISTS", "") not in ("", "0"),
        )

    def certificate_files(self) -> Mapping[str, bytes]:
        """The trusted certificates, one a file, named by their content."""
        found = {block + b"\n" for block in _PEM.findall(self.certificates)}
        return {f"{hashlib.sha256(block).hexdigest()[:24]}.crt": block for block in sorted(found)}

    def wheels(self, name: str) -> tuple[tuple[Version, Path], ...]:
        """The wheelhouse's wheels of a distribution for this Python and CPUs, oldest first."""
        found = []
        for path in self.packages.wheel_files():
            try:
                distribution, version, _, tags = parse_wheel_filename(path.name)
            except InvalidWheelFilename:
                continue
            fits = any(_fits(tag.interpreter, tag.abi, self.python) for tag in tags)
            if distribution == name and fits and version.local in (None, "cpu"):
                found.append((version, path))
        return tuple(sorted(found))


def no_build_for_cpus(distribution: str) -> ImageError:
    """What to say of a package whose builds on the index are for CUDA."""
    return ImageError(
        f"{distribution} is needed, and this machine has no build of it for CPUs",
        hint="put its wheel into the directory that PUSHTRAIN_WHEELHOUSE names, or configure pip "
        "with an index of builds for CPUs (its address ends with /cpu)",
        distribution=distribution,
    )


def _fits(interpreter: str, abi: str, python: str) -> bool:
    own = "cp" + python.replace(".", "")
    return interpreter in (own, "py3") or (abi == "abi3" and interpreter.startswith("cp3"))


def _suite() -> str | None:
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME") or None
    except OSError:
        return None


def _python_in(suite: str | None, pythons: Mapping[str, str]) -> str:
    if suite is None or suite not in pythons:
        raise ImageError(
            f"no base image can be made from the packages of this system ({suite or 'unknown'})",
            hint="set BASE_IMAGE to an image with Python, such as python:3.11-slim",
            known=sorted(pythons),
        )
    return pythons[suite]


def _python_of(base: str, environment: Mapping[str, str]) -> str:
    """The Python of a BASE_IMAGE: BASE_PYTHON, else what its tag says; the build checks it."""
    said = environment.get("BASE_PYTHON") or "".join(
        re.findall(r"(?:^|/)python:(3\.\d+)(?:[.\-@]|$)", base)
    )
    if not re.fullmatch(r"3\.\d+", said):
        raise ImageError(
            f"the name of BASE_IMAGE {base} does not say which Python it has",
            hint="set BASE_PYTHON, such as BASE_PYTHON=3.11",
        )
    return said


def _certificates(environment: Mapping[str, str]) -> bytes:
    named = [environment[name] for name in _CA_VARIABLES if environment.get(name)]
    default = ssl.get_default_verify_paths().cafile
    for place in (*named, _CA_BUNDLE, default or _CA_BUNDLE):
        if Path(place).is_file():
            return Path(place).read_bytes()
    return b""
