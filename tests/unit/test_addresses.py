"""Addresses as they may be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain.addresses import without_credentials


@pytest.mark.parametrize(
    ("given_address", "shown"),
    [
        ("https://ada:s3cret@git.example.org/a.git", "https://git.example.org/a.git"),
        ("https://token@git.example.org/a.git", "https://git.example.org/a.git"),
        ("https://git.example.org/a.git?token=s3cret#x", "https://git.example.org/a.git"),
        ("ssh://git@git.example.org:22/a.git", "ssh://git@git.example.org:22/a.git"),
        ("ssh://git:s3cret@git.example.org/a.git", "ssh://git@git.example.org/a.git"),
        ("https://ada:s3/cr@et@git.example.org/a.git", "https://git.example.org/a.git"),
        ("git@git.example.org:team/a.git", "git@git.example.org:team/a.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
        ("file:///srv/git/a@b.git", "file:///srv/git/a@b.git"),
    ],
)
def test_what_opens_a_repository_is_not_shown(given_address: str, shown: str) -> None:
    assert without_credentials(given_address) == shown


def test_addresses_inside_prose_are_found() -> None:
    told = "fatal: unable to access 'https://ada:s3cret@h.example/a.git/': 403"
    assert without_credentials(told) == "fatal: unable to access 'https://h.example/a.git/': 403"


@given(st.from_regex(r"[A-Za-z0-9%._~!$&()*+,;=:-]{6,20}", fullmatch=True))
def test_no_password_survives(password: str) -> None:
    shown = without_credentials(f"clone https://ada:{password}@git.example.org/team/a.git failed")
    assert f":{password}@" not in shown
    assert shown == "clone https://git.example.org/team/a.git failed"
