"""Settings: what is read, what is refused, and that the message says which key and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pushtrain.entities import Direction
from pushtrain.errors import SettingsError
from pushtrain.settings import (
    GIB,
    MIB,
    KnobRange,
    OperatorSettings,
    RepositorySettings,
    home,
    load_operator,
    load_repository,
    parse_duration,
    parse_size,
)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "SECURITY", "USERNAME", "PASSWORD_FILE", "SENDER", "TO"):
        monkeypatch.delenv(f"PUSHTRAIN_SMTP_{name}", raising=False)


def repository(tmp_path: Path, text: str | bytes) -> RepositorySettings:
    content = text.encode() if isinstance(text, str) else text
    (tmp_path / "pushtrain.toml").write_bytes(content)
    return load_repository(tmp_path)


# --- units -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GiB", 2 * GIB),
        ("2 gb", 2 * GIB),
        ("512m", 512 * MIB),
        ("1.5k", 1536),
        ("10", 10),
        ("10B", 10),
        ("1T", 1024 * GIB),
        (77, 77),
    ],
)
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2 h", 7200), ("1.5min", 90), ("1d", 86400), ("7", 7), (3.5, 3.5)],
)
def test_durations(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "much", "2 GiB of it", "inf", "nan", "1e999g", "0", "-1k"])
def test_what_is_no_size_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"\[limits\.memory\]"):
        repository(tmp_path, f'[limits]\nmemory = "{text}"\n')


@pytest.mark.parametrize("text", ["", "long", "1h30m", "inf", "nan", "0s", "-1m"])
def test_what_is_no_duration_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"\[budget\.time\]"):
        repository(tmp_path, f'[budget]\ntime = "{text}"\n')


# --- the repository's file ---------------------------------------------------------------------


def test_no_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_repository(tmp_path) == RepositorySettings()


def test_every_section_is_read(tmp_path: Path) -> None:
    read = repository(
        tmp_path,
        """
        [train]
        entry = "src/train.py"
        args = ["--fast"]
        backend = "jax"
        env = { SEED = "1" }
        [objective]
        metric = "rmse"
        target = 0.5
        direction = "minimize"
        confirm = 3
        [budget]
        trials = 7
        time = "10m"
        trial_time = 30
        [knobs]
        include = ["units*"]
        exclude = ["units_2"]
        [knobs.ranges]
        units = [8, 64]
        activation = ["relu", "tanh"]
        nesterov = [false, true]
        depth = [4]
        rate = { low = 1e-5, high = 0.1, log = true }
        [data]
        directories = { "/data" = "/srv/data" }
        [image]
        packages = ["mlxtend"]
        [limits]
        memory = "2GiB"
        network = true
        """,
    )
    assert read.train.env == {"SEED": "1"}
    assert read.objective.direction is Direction.MINIMIZE
    assert (read.budget.time, read.budget.trial_time) == (600, 30)
    assert read.knobs.ranges == {
        "units": KnobRange(low=8, high=64),
        "activation": KnobRange(choices=("relu", "tanh")),
        "nesterov": KnobRange(choices=(False, True)),
        "depth": KnobRange(choices=(4,)),
        "rate": KnobRange(low=1e-5, high=0.1, log=True),
    }
    assert read.limits.memory == 2 * GIB


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[train]\nentri = 1", r"\[train\.entri\] extra inputs"),
        ("[trian]\n", r"\[trian\]"),
        ("[objective]\ntarget = nan", r"\[objective\.target\]"),
        ("[objective]\ntarget = inf", r"\[objective\.target\]"),
        ("[objective]\ndirection = 'up'", r"\[objective\.direction\]"),
        ("[objective]\nconfirm = 21", r"\[objective\.confirm\]"),
        ("[budget]\ntrials = 0", r"\[budget\.trials\]"),
        ("[budget]\ntrials = 'many'", r"\[budget\.trials\]"),
        ("[train]\nbackend = 'theano'", r"\[train\.backend\]"),
        ("[limits]\npids = 1", r"\[limits\.pids\]"),
        ("[limits]\ncpus = 0", r"\[limits\.cpus\]"),
        ("[mail]\nhost = 'x'", r"\[mail\]"),
        ("train = 3", r"\[train\]"),
        ("[train", "not valid TOML"),
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("a = " + "9" * 5000, "not valid TOML"),
        (b"\xff\xfe", "make it UTF-8"),
        ("#" * (MIB + 1), "larger than 1 MiB"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        repository(tmp_path, text)
    assert "pushtrain.toml" in caught.value.message


def test_every_wrong_key_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        repository(tmp_path, "[budget]\ntrials = 0\ntime = '-1'\n")
    problems = caught.value.facts["problems"]
    assert isinstance(problems, list)
    assert len(problems) == 2


_text = st.text(max_size=6) | st.sampled_from(["\x1b[2J", "\u202e", "2GiB", "1e9999", "x" * 999])
_anything = st.recursive(
    st.booleans() | st.integers() | st.floats() | _text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_text, inner, max_size=2),
    max_leaves=4,
)
_SECTIONS = {name: [*section] for name, section in RepositorySettings().model_dump().items()}


@st.composite
def _files(draw: st.DrawFn) -> str:
    """TOML with sections and keys that are known or not, and values that are anything."""
    lines = []
    for section in draw(st.lists(st.sampled_from(sorted(_SECTIONS)) | _text, unique=True)):
        lines.append(f"[{json.dumps(section)}]")
        known = st.sampled_from(_SECTIONS.get(section) or ["x"])
        for key, value in draw(st.dictionaries(known | _text, _anything, max_size=3)).items():
            lines.append(f"{json.dumps(key)} = {json.dumps(value).replace(': ', ' = ')}")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings")


@given(st.binary(max_size=60) | _files().map(lambda text: text.encode("utf-8", "replace")))
@example(b'"\\u001b[2J" = 1')
@example(b'[train.env]\n"' + b"x" * 10_000 + b'" = 1')
def test_any_file_is_read_or_refused_in_one_plain_line(place: Path, content: bytes) -> None:
    try:
        repository(place, content)
    except SettingsError as error:
        assert error.message.isprintable() and len(error.message) < 10_000


def test_a_directory_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pushtrain.toml").mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        load_repository(tmp_path)


# --- the operator's file -----------------------------------------------------------------------


def test_the_operators_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        "[allow]\nnetwork = ['https://x/*']\n[keep]\nruns = 3\n[mail]\nhost = 'h'\nto = ['a@b']\n"
    )
    read = load_operator(tmp_path)
    assert read.allow.network == ("https://x/*",)
    assert (read.keep.runs, read.mail.host, read.mail.to) == (3, "h", ("a@b",))
    assert load_operator(tmp_path / "none") == OperatorSettings()


def test_variables_override_the_mail_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text("[mail]\nhost = 'h'\nport = 25\nto = ['a@b']\n")
    monkeypatch.setenv("PUSHTRAIN_SMTP_HOST", "other")
    monkeypatch.setenv("PUSHTRAIN_SMTP_PORT", "2525")
    monkeypatch.setenv("PUSHTRAIN_SMTP_TO", "c@d, e@f")
    monkeypatch.setenv("PUSHTRAIN_SMTP_SENDER", "")
    mail = load_operator(tmp_path).mail
    assert (mail.host, mail.port, mail.to) == ("other", 2525, ("c@d", "e@f"))
    assert mail.sender == "pushtrain@localhost"


def test_a_wrong_variable_is_told_apart_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUSHTRAIN_SMTP_PORT", "smtp")
    with pytest.raises(SettingsError, match=r"PUSHTRAIN_SMTP_\* variables: \[mail\.port\]"):
        load_operator(tmp_path)


def test_the_home_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSHTRAIN_HOME", "relative/place")
    assert home() == Path.cwd() / "relative/place"
    monkeypatch.setenv("PUSHTRAIN_HOME", "~/place")
    assert home() == Path.home() / "place"
    monkeypatch.setenv("PUSHTRAIN_HOME", "")
    assert home().is_absolute()
    assert home().name == "pushtrain"
