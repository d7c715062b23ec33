"""Whether a specifier leaves anything from some version up, compared with trying versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from pushtrain.images.bounds import allows_none_from

NUMBERS = st.integers(0, 4)
VERSIONS = st.builds("{}.{}.{}".format, NUMBERS, NUMBERS, NUMBERS)
CLAUSES = st.one_of(
    st.builds("{}{}".format, st.sampled_from(["==", "<", "<=", "~=", ">=", ">", "!="]), VERSIONS),
    st.builds("=={}.{}.*".format, NUMBERS, NUMBERS),
)
ALL = [Version(f"{a}.{b}.{c}") for a in range(7) for b in range(7) for c in range(7)]


@given(CLAUSES, VERSIONS)
def test_it_agrees_with_trying_every_version(clause: str, lowest: str) -> None:
    specifier = SpecifierSet(clause)
    left = [one for one in ALL if one >= Version(lowest) and specifier.contains(one)]
    assert allows_none_from(specifier, Version(lowest)) == (not left)


@pytest.mark.parametrize("text", ["", ">=1.0", "!=2.0", ">=1,!=1.5"])
def test_what_has_no_upper_end_always_allows_newer(text: str) -> None:
    assert not allows_none_from(SpecifierSet(text), Version("99"))


def test_one_clause_that_ends_too_early_is_enough() -> None:
    assert allows_none_from(SpecifierSet(">=1.0,<1.17"), Version("2.1.0"))
