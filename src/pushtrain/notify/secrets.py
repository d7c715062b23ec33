"""Secrets of channels: from the environment or a file, read when they are needed, never shown."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

from pushtrain.errors import DeliveryError
from pushtrain.telling.text import visible

_HIDDEN = "***"
_MOST = 64 * 1024


class Secret:
    """Something that only its user reads; its representation says where it is, not what.

    Args:
        variable: the environment variable that holds it; wins over the file.
        file: the file that holds it.
        setting: the setting that names the file, for the error.
        environment: looks a variable up, for tests.
    """

    def __init__(
        self,
        variable: str,
        file: str | None,
        setting: str,
        environment: Callable[[str], str | None] = os.environ.get,
    ) -> None:
        self._variable = variable
        self._file = file
        self._setting = setting
        self._environment = environment

    def __repr__(self) -> str:
        return f"Secret({self._variable} or {self._file})"

    @property
    def is_given(self) -> bool:
        """Whether somebody says where it is."""
        return bool(self._environment(self._variable) or self._file)

    def read(self) -> str:
        """The secret, without the line break at a file's end.

        Raises:
            DeliveryError: it is nowhere, or its file cannot be read.
        """
        given = self._environment(self._variable)
        if given:
            return given
        hint = f"set {self._variable}, or name a file in {self._setting}"
        if self._file is None:
            raise DeliveryError("no secret is given", hint=hint, soon=False)
        try:
            with Path(self._file).expanduser().open("rb") as file:
                content = file.read(_MOST).decode("utf-8")
        except UnicodeDecodeError:
            raise DeliveryError(f"{self._file} is not UTF-8", hint=hint, soon=False) from None
        except OSError as error:
            raise DeliveryError(
                f"{self._file} cannot be read: {error.strerror}", hint=hint, soon=False
            ) from None
        return content.rstrip("\r\n")

    @staticmethod
    def hide(text: str, secret: str, user: str = "") -> str:
        """`text` as one line without `secret`, as it is or as SMTP encodes it.

        Some servers repeat what they were told.
        """
        for plain in (f"\0{user}\0{secret}", f"{user}\0{user}\0{secret}", secret):
            if secret:
                text = text.replace(base64.b64encode(plain.encode()).decode(), _HIDDEN)
                text = text.replace(plain, _HIDDEN)
        return visible(text, 400)
