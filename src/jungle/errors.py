"""The only errors that a user sees without a traceback. Each message is one sentence: what, where, what to do.

JungleError            anything a person can mend; exit code 2
├── BadInput           a file, folder, option or configuration that cannot be used
├── BadCheckpoint      a model file that cannot be opened, or does not fit what was asked of it
├── MissingExtra       an optional library, service or shipped file that is not there
└── NoAnswer           a service that did not do what was required of it; exit code 3
"""

from typing import ClassVar


class JungleError(Exception):
    """Shown to the user as one sentence; the command line exits with ``exit_code``."""

    exit_code: ClassVar[int] = 2


class BadInput(JungleError):
    """A file, folder, option or configuration that cannot be used."""


class BadCheckpoint(JungleError):
    """A model file that cannot be opened, or does not fit what was asked of it."""


class MissingExtra(JungleError):
    """An optional library, service or shipped file that is not there."""

    @classmethod
    def library(cls, module: str, extra: str, purpose: str) -> "MissingExtra":
        """The sentence for an optional library: ``module`` is needed for ``purpose``, installed by ``extra``."""
        return cls(
            f"{purpose} needs the library '{module}': install it with  pip install 'jungle[{extra}]'  and run the same command again."
        )


class NoAnswer(JungleError):
    """A service that did not do what was required of it: worth another try later, with the same command."""

    exit_code = 3
