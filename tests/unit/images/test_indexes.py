"""Where packages come from, as the machine's pip and uv are configured."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pushtrain.images import indexes
from pushtrain.images.indexes import PackageSource, read_package_source

ONE, TWO, CPU = "https://one.example/simple", "https://two.example/simple", "https://x.example/cpu"


@pytest.fixture(autouse=True)
def no_system_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own files are no matter of these tests."""
    monkeypatch.setattr(indexes, "_SYSTEM_PIP", tmp_path / "none")
    monkeypatch.setattr(indexes, "_SYSTEM_UV", tmp_path / "none")


def source(tmp_path: Path, pip: str = "", uv: str = "", **variables: str) -> PackageSource:
    home = tmp_path / "home"
    for name, text in ((".config/pip/pip.conf", pip), (".config/uv/uv.toml", uv)):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return read_package_source({"HOME": str(home), "XDG_CONFIG_DIRS": str(tmp_path), **variables})


def test_pip_files_are_read(tmp_path: Path) -> None:
    text = (
        f"[global]\nindex-url = {ONE}\nextra-index-url =\n    {TWO}\n    {CPU}\ntrusted-host = a b"
    )
    found = source(tmp_path, text)
    assert (found.index, found.extra, found.trusted) == (ONE, (TWO, CPU), ("a", "b"))
    assert found.has_cpu_index


def test_uv_files_win_over_pip_files(tmp_path: Path) -> None:
    found = source(tmp_path, f"[global]\nindex-url = {ONE}", f'index-url = "{TWO}"')
    assert found.index == TWO
    listed = f'[[index]]\nurl = "{ONE}"\ndefault = true\n[[index]]\nurl = "{CPU}"\n'
    found = source(tmp_path, "", listed)
    assert (found.index, found.extra) == (ONE, (CPU,))


def test_variables_win_over_files(tmp_path: Path) -> None:
    found = source(tmp_path, f"[global]\nindex-url = {ONE}", PIP_INDEX_URL=TWO)
    assert found.index == TWO
    assert source(tmp_path, PIP_INDEX_URL=ONE, UV_DEFAULT_INDEX=f"main={TWO}").index == TWO


def test_a_directory_of_this_machine_is_no_index_of_a_build(tmp_path: Path) -> None:
    found = source(tmp_path, "", PIP_EXTRA_INDEX_URL=f"file://{tmp_path} {ONE}")
    assert found.extra == (ONE,)


def test_wheelhouses_are_the_directories_that_exist(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x-1-py3-none-any.whl").touch()
    found = source(tmp_path, PIP_FIND_LINKS=f"{tmp_path}/a {tmp_path}/none {ONE}")
    assert found.wheelhouses == (tmp_path / "a",)
    assert [path.name for path in found.wheel_files()] == ["x-1-py3-none-any.whl"]
    assert source(tmp_path, PUSHTRAIN_WHEELHOUSE=f"{tmp_path}/a").wheelhouses == (tmp_path / "a",)


@pytest.mark.parametrize("text", ["[global", "nonsense", "\x00"])
def test_files_that_cannot_be_read_say_nothing(tmp_path: Path, text: str) -> None:
    found = source(tmp_path, text, text)
    assert (found.index, found.extra) == (None, ())


def test_a_shell_gets_the_indexes_whatever_is_in_them(tmp_path: Path) -> None:
    nasty = "https://me:it's$(touch oops)@one.example/simple"
    script = PackageSource(index=nasty, extra=(TWO,), trusted=("a",)).as_shell()
    said = subprocess.run(
        ["sh", "-c", script + 'printf "%s\\n" "$PIP_INDEX_URL" "$UV_INDEX" "$UV_INSECURE_HOST"'],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    ).stdout
    assert said.splitlines() == [nasty, TWO, "a"]
    assert not (tmp_path / "oops").exists()
