"""Secrets of channels."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain.errors import DeliveryError
from pushtrain.notify.secrets import Secret


def secret(file: Path | None = None, **environment: str) -> Secret:
    return Secret("S", str(file) if file else None, "[mail] password_file", environment.get)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file\n")
    assert secret(file, S="from the environment").read() == "from the environment"
    assert secret(file).read() == "from the file"


def test_its_representation_says_where_not_what() -> None:
    assert "s3cret" not in repr(secret(S="s3cret"))


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_what_cannot_be_read_names_the_setting(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DeliveryError, match=r"\[mail\] password_file"):
        secret(file).read()


def test_none_given() -> None:
    assert not secret().is_given
    with pytest.raises(DeliveryError, match="set S"):
        secret().read()


@given(st.text(min_size=4, max_size=20), st.text("abc", min_size=1, max_size=5))
def test_no_form_of_it_is_repeated(password: str, user: str) -> None:
    forms = [password, f"\0{user}\0{password}"]
    forms += [base64.b64encode(form.encode()).decode() for form in forms]
    for form in forms:
        shown = Secret.hide(f"535 <<{form}>>", password, user)
        assert shown.startswith("535 <<") and form not in shown
