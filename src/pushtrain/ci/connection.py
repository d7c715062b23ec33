"""The way to a Jenkins server: alone imports python-jenkins, and maps what it raises."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jenkins
import requests

from pushtrain.ci.access import Access
from pushtrain.errors import (
    JenkinsDenied,
    JenkinsError,
    JenkinsNotFound,
    JenkinsSilent,
    JenkinsUnreachable,
    PushtrainError,
)

_T = TypeVar("_T")

_STARTING = frozenset({502, 503, 504})
"""Statuses of a proxy whose Jenkins is away, and of a Jenkins that is getting ready."""
_NO_CRUMB = "No valid crumb"
_NUMBERED = re.compile(r"\[Errno -?\d+\] ")
_TITLE = re.compile(r"<title>(?:Error \d+ )?(.*?)</title>", re.DOTALL)


class _Refusal(Exception):
    """An answer that is none: its status, and what it says."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        title = _TITLE.search(response.text)
        self.reason = (
            response.headers.get("X-Error")
            or (title[1].strip() if title else "")
            or str(response.reason)
        )
        super().__init__(f"{self.status} {self.reason}")


class _Client(jenkins.Jenkins):
    """python-jenkins, but statuses stay numbers, and the answer to a POST is its own.

    python-jenkins makes one exception of 401, 403 and 500, and follows the redirect of a merged
    request for a build to a page that names no queue item.
    """

    _session: requests.Session

    def _response_handler(self, response: requests.Response) -> requests.Response:
        if response.status_code >= requests.codes.bad_request:
            raise _Refusal(response)
        return response

    def _request(self, req: requests.Request, stream: bool | None = None) -> requests.Response:
        prepared = self._session.prepare_request(req)
        settings = self._session.merge_environment_settings(
            prepared.url, {}, stream, self._session.verify, None
        )
        response: requests.Response = self._session.send(
            prepared, **settings, timeout=self.timeout, allow_redirects=req.method != "POST"
        )
        return response

    @property
    def has_crumb(self) -> bool:
        """Whether the server gave us a crumb."""
        return bool(self.crumb)

    def forget_crumb(self) -> None:
        """Sees to it that the next request that wants a crumb gets a new one."""
        self.crumb = None

    def trust(self, ca_file: str) -> None:
        """Trusts these certificates only."""
        self._session.verify = ca_file


class Connection:
    """Requests to one Jenkins server: with its login and its crumb, and errors of our own.

    Args:
        access: the way there.
    """

    def __init__(self, access: Access) -> None:
        self.access = access
        self._client = _Client(access.url, access.user, access.token)
        self._client.timeout = access.seconds  # type: ignore[assignment]  # the stubs want an int
        if access.ca_file:
            self._client.trust(access.ca_file)

    def get(self, path: str, what: str, *, is_anonymous: bool = False) -> requests.Response:
        """GETs a path; `is_anonymous` without our login."""

        def once() -> requests.Response:
            request = requests.Request("GET", f"{self.access.url}/{path}")
            if is_anonymous:
                request.auth = _nobody
            response: requests.Response = self._client.jenkins_request(request, add_crumb=False)
            return response

        return self._ask(once, what)

    def json(self, path: str, what: str) -> Any:
        """GETs JSON."""
        return self.parsed(self.get(path, what))

    def parsed(self, response: requests.Response) -> Any:
        """The JSON of an answer; JenkinsUnreachable if it is none."""
        try:
            return json.loads(response.text)
        except ValueError:
            raise self.no_jenkins() from None

    def no_jenkins(self) -> JenkinsUnreachable:
        """The error of an address at which something else answers."""
        return JenkinsUnreachable(
            f"what answers at {self.access.url} is not Jenkins, or not its API",
            hint="give the address that a browser shows on Jenkins' dashboard, with its path",
            url=self.access.url,
        )

    def post(
        self, path: str, what: str, body: str | Mapping[str, str] | None = None
    ) -> requests.Response:
        """POSTs XML (a string) or a form (a mapping).

        An API token needs no crumb. A password does, and a restarted server knows none of its
        old ones: the refusal of a request for its crumb is answered with a new crumb, once.
        """

        def once(*, add_crumb: bool) -> requests.Response:
            request = requests.Request("POST", f"{self.access.url}/{path}")
            if isinstance(body, str):
                request.data = body.encode()
                request.headers = dict(jenkins.DEFAULT_HEADERS)
            elif body is not None:
                request.data = dict(body)
            response: requests.Response = self._client.jenkins_request(request, add_crumb=add_crumb)
            return response

        def with_crumb() -> requests.Response:
            try:
                return once(add_crumb=self._client.has_crumb)
            except _Refusal as refusal:
                if refusal.status != requests.codes.forbidden or _NO_CRUMB not in refusal.reason:
                    raise
                self._client.forget_crumb()
                return once(add_crumb=True)

        return self._ask(with_crumb, what)

    def _ask(self, call: Callable[[], _T], what: str) -> _T:
        """Calls python-jenkins; its exceptions and requests' become ours."""
        url = self.access.url
        try:
            return call()
        except _Refusal as refusal:
            raise self._error(refusal, what) from None
        except ValueError as error:  # a crumb that is no JSON
            raise self.no_jenkins() from error
        except (jenkins.TimeoutException, requests.Timeout) as error:
            cause = error.__context__ if isinstance(error, jenkins.TimeoutException) else error
            if isinstance(cause, requests.ConnectTimeout):
                raise self._away("does not answer") from None
            raise JenkinsSilent(
                f"{url} was asked for {what} and did not answer within {self.access.seconds:g} s",
                hint="try again; what was asked may have been done",
                url=url,
            ) from None
        except requests.exceptions.SSLError as error:
            raise JenkinsUnreachable(
                f"the certificate of {url} is not trusted: {_innermost(error)}",
                hint="set JENKINS_CA_FILE to the certificate of the authority that signed it",
                url=url,
            ) from None
        except requests.ConnectionError as error:
            if _is_refused(error):
                raise self._away(f"cannot be reached: {_innermost(error)}") from None
            raise self._broken_off(what, error) from None
        except requests.RequestException as error:
            raise self._broken_off(what, error) from None
        except (jenkins.JenkinsException, OSError) as error:
            raise JenkinsError(f"{url}, {what}: {error}", hint="see Jenkins' own log") from None

    def _away(self, how: str) -> JenkinsUnreachable:
        return JenkinsUnreachable(
            f"Jenkins at {self.access.url} {how}",
            hint="see that it runs, and that this machine may reach it",
            url=self.access.url,
        )

    def _broken_off(self, what: str, error: Exception) -> JenkinsSilent:
        return JenkinsSilent(
            f"{self.access.url} was asked for {what} and broke off: {_innermost(error)}",
            hint="try again; what was asked may have been done",
            url=self.access.url,
        )

    def _error(self, refusal: _Refusal, what: str) -> PushtrainError:
        url, status = self.access.url, refusal.status
        if status in _STARTING:
            return self._away(f"is not ready ({refusal})")
        if status == requests.codes.unauthorized:
            return JenkinsDenied(
                f"{url} does not know {self.access.user or 'an anonymous caller'} ({refusal})",
                hint="set JENKINS_USER_ID and JENKINS_API_TOKEN (your name, Security, API token)",
                url=url,
                status=status,
            )
        if status == requests.codes.forbidden:
            return JenkinsDenied(
                f"{url} does not let {self.access.user or 'an anonymous caller'} have {what} "
                f"({refusal})",
                hint="ask for the right, or set JENKINS_USER_ID and JENKINS_API_TOKEN",
                url=url,
                status=status,
            )
        if status == requests.codes.not_found:
            return JenkinsNotFound(
                f"there is no {what} at {url}",
                hint="`pushtrain jenkins status` lists what there is",
                url=url,
                status=status,
            )
        return JenkinsError(
            f"{url} refuses {what}: {refusal}",
            hint="Jenkins' own log says more",
            url=url,
            status=status,
        )


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The login of who has none, in the place of the session's."""
    return request


def _is_refused(error: requests.ConnectionError) -> bool:
    """Whether there was no connection at all, so that nothing can have been done."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return type(reason).__name__ in {"NewConnectionError", "NameResolutionError"}


def _innermost(error: BaseException) -> str:
    """The sentence at the bottom of a chain of library errors, without their names and numbers."""
    while True:
        below = (getattr(error, "reason", None), *error.args)
        inner = next((one for one in below if isinstance(one, BaseException)), None)
        if inner is None:
            return _NUMBERED.split(str(error))[-1]
        error = inner
