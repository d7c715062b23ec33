"""Git repositories of the tests' own, with small training programs in them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

FOREST = """\
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = RandomForestClassifier(n_estimators=10, max_depth=4)
model.fit(X_train, y_train)
print("accuracy", model.score(X_test, y_test))
"""
"""A classifier with two knobs."""

RIDGE = """\
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

X, y = load_diabetes(return_X_y=True)
model = Ridge(alpha=1.0)
model.fit(X[:300], y[:300])
print("r2", model.score(X[300:], y[300:]))
"""
"""A regression, for which no target can be assumed."""

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


class Repository:
    """A bare repository that is pushed to, and a clone to push from.

    Args:
        place: an existing directory for both.
        name: the bare repository's name, without `.git`.
    """

    def __init__(self, place: Path, name: str = "forest") -> None:
        self.path = place / f"{name}.git"
        self.clone = place / f"{name}-clone"
        self.git("init", "-q", "--bare", "-b", "main", str(self.path), cwd=place)
        self.git("init", "-q", "-b", "main", str(self.clone), cwd=place)
        self.git("remote", "add", "origin", str(self.path))

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """What git says in the clone; its errors are the test's."""
        done = subprocess.run(
            ("git", *arguments),
            cwd=cwd or self.clone,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str], message: str = "work") -> str:
        """Commits files in the clone; gives the commit's id."""
        for name, text in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(self, *references: str) -> str:
        """Pushes (HEAD to main by default); gives what the other side said."""
        done = subprocess.run(
            ("git", "push", "origin", *(references or ("HEAD:main",))),
            cwd=self.clone,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    def pushed(self, files: Mapping[str, str], branch: str = "main") -> str:
        """Commits and pushes in one; gives the commit's id."""
        commit = self.commit(files)
        self.push(f"HEAD:refs/heads/{branch}")
        return commit
