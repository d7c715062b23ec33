"""Everything that can go wrong, as one tree.

    PushtrainError                 1  the run failed
    ├── UsageError                 2  the caller can mend it: options, settings, code, data
    │   ├── SettingsError             a setting is missing, malformed or not allowed
    │   ├── SourceError               repository, revision or directory cannot be read
    │   ├── DetectionError            the code does not say clearly what to train
    │   ├── KnobError                 a knob or a value that does not fit the source
    │   ├── ObjectiveError            no target is stated and none can be assumed
    │   └── JenkinsDenied             Jenkins does not know who asks, or does not let them
    ├── BudgetSpent                3  trained honestly, target not met
    ├── Unreachable                4  a server that the command needs does not answer
    │   ├── EngineUnreachable         the Docker Engine
    │   └── JenkinsUnreachable        Jenkins, or what should be Jenkins
    │       └── JenkinsSilent         it was asked, and no whole answer came
    ├── ImageError                 1  an image cannot be built or loaded
    ├── SandboxError               1  a container could not be launched, fed or read
    ├── TrainingError              1  the pushed code itself cannot be trained
    ├── JournalError               1  a run's records cannot be read or written
    ├── LeaseLost                  1  another process drives the run now
    ├── Abandoned                  1  the processes that drove a run died, one after another
    ├── PublicationError           1  what a verdict leads to is not all done, and can be done later
    ├── JenkinsError               1  Jenkins answers, and does not do it
    │   └── JenkinsNotFound           there is no such job, build or queue item
    ├── DeliveryError              1  a message was not delivered (retried, never fatal)
    └── Stopped                  130  stopped by hand, or superseded by a newer push

A message says what happened, to which id, and the next step. The same facts are
attributes, so that `--json` and reports need not parse prose.
"""

from __future__ import annotations

from typing import ClassVar


class PushtrainError(Exception):
    """Base of all errors that pushtrain raises on purpose.

    Args:
        message: what happened and to which id, in one line.
        hint: the next step, in the imperative.
        facts: the message's facts, by name, for machines.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def as_json(self) -> dict[str, object]:
        """The error as a machine reads it (`--json`)."""
        return {
            "error": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "exit_code": self.exit_code,
            **self.facts,
        }


class UsageError(PushtrainError):
    """Something the caller gave cannot be used as it is."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is missing, malformed, or asks for more than the operator allows."""


class SourceError(UsageError):
    """A repository, revision or directory cannot be read."""


class DetectionError(UsageError):
    """The code does not say clearly what to train; facts name the candidates."""


class KnobError(UsageError):
    """A knob is unknown, or a value does not fit the place it belongs to."""


class ObjectiveError(UsageError):
    """No target is stated and none may be assumed for this kind of task."""


class JenkinsDenied(UsageError):
    """Jenkins does not know who asks, or does not let them."""


class BudgetSpent(PushtrainError):
    """Every trial was honest, none met the target within the budget."""

    exit_code = 3


class Unreachable(PushtrainError):
    """A server that the command needs does not answer."""

    exit_code = 4


class EngineUnreachable(Unreachable):
    """The Docker Engine does not answer."""


class JenkinsUnreachable(Unreachable):
    """Jenkins does not answer, or what answers is not Jenkins; nothing was done."""


class JenkinsSilent(JenkinsUnreachable):
    """Jenkins was asked and no whole answer came: what was asked may have been done."""


class JenkinsError(PushtrainError):
    """Jenkins answers, and does not do what it was asked."""


class JenkinsNotFound(JenkinsError):
    """Jenkins has no such job, build or queue item."""


class ImageError(PushtrainError):
    """An image cannot be built, loaded or found."""


class SandboxError(PushtrainError):
    """A container could not be launched, fed or read."""


class TrainingError(PushtrainError):
    """The pushed code itself cannot be trained (its own error, named with its line)."""


class JournalError(PushtrainError):
    """The records of a run cannot be read or written."""


class LeaseLost(PushtrainError):
    """Another process works on it now: this one was paused for too long, and must stop."""


class Abandoned(PushtrainError):
    """The processes that drove a run died, one after another."""


class PublicationError(PushtrainError):
    """The model is not kept or people are not told; the verdict stands, and it can be repeated."""


class DeliveryError(PushtrainError):
    """A message could not be delivered now."""


class Stopped(PushtrainError):
    """The run was stopped by hand or superseded by a newer push."""

    exit_code = 130
