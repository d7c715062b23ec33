"""The way to one Docker Engine, and what its errors mean here.

Which engine is asked is decided as the docker command decides it: DOCKER_HOST (with
DOCKER_TLS_VERIFY and DOCKER_CERT_PATH), else the context that DOCKER_CONTEXT or the
configuration names, else the default socket.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
import paramiko
import requests
import urllib3
from docker.context import ContextAPI
from docker.errors import APIError, DockerException, create_api_error_from_http_exception
from docker.utils import kwargs_from_env

from pushtrain.errors import EngineUnreachable, PushtrainError, SandboxError

_DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_SILENCE = 120
"""Seconds without a byte after which an engine counts as gone; a busy one needs some."""


def _gone() -> tuple[type[Exception], ...]:
    """What the transports raise when the other side does not answer (APIError comes before it)."""
    return (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        paramiko.SSHException,
        EOFError,
        OSError,
    )


class _Client(docker.APIClient):
    """An API client whose own CA certificate counts, whatever REQUESTS_CA_BUNDLE says."""

    def merge_environment_settings(
        self,
        url: str | bytes | None,
        proxies: Any,
        stream: bool | None,
        verify: bool | str | None,
        cert: Any,
    ) -> Any:
        own = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, own, cert)


class Connection:
    """The way to one engine. Thread-safe: each thread talks through a client of its own.

    Nothing is contacted before the first call.

    Args:
        address: the engine's address, as DOCKER_HOST spells it.
        tls: certificates for a TCP address, where it needs any.
    """

    def __init__(self, address: str = _DEFAULT_SOCKET, tls: docker.TLSConfig | None = None) -> None:
        self.address = address
        self._tls = tls
        self._local = threading.local()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Connection:
        """The engine that the docker command would use.

        Args:
            environment: the variables that count (default: the process's own).

        Raises:
            EngineUnreachable: the named context or its certificates do not exist.
        """
        given = os.environ if environment is None else environment
        try:
            named: Mapping[str, Any] = (
                kwargs_from_env(dict(given))
                if given.get("DOCKER_HOST")
                else _from_context(given.get("DOCKER_CONTEXT"))
            )
        except Exception as error:  # a context's files are read by the SDK, which raises anything
            raise EngineUnreachable(
                f"the settings of the docker command name no usable engine: {error}",
                hint="mend DOCKER_HOST, DOCKER_CERT_PATH or DOCKER_CONTEXT",
            ) from error
        return cls(named.get("base_url") or _DEFAULT_SOCKET, named.get("tls"))

    @contextmanager
    def calling(
        self, what: str, error: type[PushtrainError] = SandboxError, *, hint: str = ""
    ) -> Iterator[docker.APIClient]:
        """Gives this thread's client; what it raises comes out as an error of ours.

        Only what talks to the engine belongs into the block: an OSError in it means that the
        engine is gone.

        Args:
            what: what is being done, to which id, as the message's beginning
                ("container 7f3c cannot be started").
            error: the class of error for what the engine refuses.
            hint: the next step after a refusal.

        Raises:
            EngineUnreachable: the engine does not answer, or stops answering.
            PushtrainError: of class `error`; the facts are `reason` and `status` (HTTP).
        """
        try:
            yield self._client()
        except (APIError, DockerException) as refusal:
            status = refusal.status_code if isinstance(refusal, APIError) else None
            reason = str(getattr(refusal, "explanation", None) or refusal).strip()
            raise error(f"{what}: {reason}", hint=hint, reason=reason, status=status) from refusal
        except _gone() as gone:
            self.forget()
            raise self._unreachable(gone) from gone

    def open(self) -> docker.APIClient:
        """A client of the caller's own, to be closed by it: for streams that outlive a call.

        Raises:
            EngineUnreachable: the engine does not answer.
        """
        try:
            return _Client(
                base_url=_with_port(self.address),
                version="auto",
                timeout=_SILENCE,
                tls=self._tls or False,
            )
        except (DockerException, ValueError) as refusal:
            raise self._unreachable(refusal) from refusal
        except _gone() as gone:
            raise self._unreachable(gone) from gone

    @contextmanager
    def streaming(
        self,
        where: str,
        what: str,
        *,
        parameters: Mapping[str, str | int],
        silence: float = _SILENCE,
    ) -> Iterator[requests.Response]:
        """The answer to one GET, whose body is read piece by piece inside the block.

        Args:
            where: path below the API's version ("/containers/7f3c/logs").
            what: as for `calling`.
            parameters: those of the query.
            silence: seconds without a byte after which the engine counts as gone.

        Raises:
            EngineUnreachable, SandboxError: as `calling` does.
        """
        with self.calling(what) as client:
            address = f"{client.base_url}/v{client.api_version}{where}"
            answer = client.get(
                address,
                params=parameters,
                headers={"Accept-Encoding": "identity"},
                stream=True,
                timeout=silence,
            )
            try:
                if not answer.ok:
                    create_api_error_from_http_exception(
                        requests.HTTPError(answer.reason, response=answer)
                    )
                yield answer
            finally:
                answer.close()

    def forget(self) -> None:
        """Drops this thread's client, so that the next call connects anew."""
        client = self._local.__dict__.pop("client", None)
        if client is not None:
            with suppress(Exception):
                client.close()

    def _client(self) -> docker.APIClient:
        if not hasattr(self._local, "client"):
            self._local.client = self.open()
        client: docker.APIClient = self._local.client
        return client

    def _unreachable(self, cause: BaseException) -> EngineUnreachable:
        hint = "start one with `scripts/engine`, and see `pushtrain doctor`"
        if "permission denied" in str(cause).lower() and self.address.startswith("unix:"):
            hint = "let this user use the socket (group docker), then see `pushtrain doctor`"
        elif not self.address.startswith("unix:"):
            hint = "check DOCKER_HOST and that host's engine, and see `pushtrain doctor`"
        return EngineUnreachable(
            f"no Docker Engine answers at {self.address}: {_root(cause)}",
            hint=hint,
            address=self.address,
        )


def _from_context(name: str | None) -> Mapping[str, Any]:
    if ContextAPI.get_context(name) is None:  # which the SDK would take for the default
        raise DockerException(f"there is no docker context {name or 'of the configured name'}")
    return ContextAPI.kwargs_from_context(name)


def _with_port(address: str) -> str:
    """An SSH address with the port that ~/.ssh/config names, which the SDK would take for 22."""
    parts = urlsplit(address)
    settings = Path.home() / ".ssh/config"
    if parts.scheme != "ssh" or parts.port or not parts.hostname or not settings.is_file():
        return address
    port = paramiko.SSHConfig.from_path(str(settings)).lookup(parts.hostname).get("port")
    return f"ssh://{parts.netloc}:{port}" if port else address


def _root(error: BaseException) -> str:
    """What lies below the transports' own wrapping: "Connection refused"."""
    deepest: BaseException | None = error
    while deepest is not None:
        if isinstance(deepest, OSError) and deepest.strerror:
            return deepest.strerror
        deepest = deepest.__cause__ or deepest.__context__
    return str(error) or type(error).__name__
