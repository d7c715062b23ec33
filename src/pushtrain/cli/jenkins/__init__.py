"""`pushtrain jenkins`: a Jenkins server that trains."""

from __future__ import annotations

import click

from pushtrain.cli import LazyGroup

COMMANDS = {
    "check": "Say whether a server can train, and what to mend.",
    "apply": "Make or update a repository's job, showing the difference.",
    "diff": "Show what apply would change.",
    "status": "Show all jobs: verdicts, trend, running builds.",
    "trigger": "Start a build, and follow it.",
    "flush": "Deliver the pushes that wait for a server.",
    "remove": "Remove a repository's job.",
}


@click.group(
    cls=LazyGroup,
    package="pushtrain.cli.jenkins",
    summaries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
def command() -> None:
    """Let a Jenkins server train what is pushed.

    The server's address and our login come from JENKINS_URL, JENKINS_USER_ID and
    JENKINS_API_TOKEN, else from jenkins.toml in PUSHTRAIN_HOME, the token also from the keyring
    (service pushtrain-jenkins, user USER@HOST).

    \b
      pushtrain jenkins check
      pushtrain jenkins apply --repo https://example.org/team/digits.git
      pushtrain jenkins trigger digits --wait
    """
