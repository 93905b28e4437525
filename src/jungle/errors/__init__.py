"""The only errors that a user sees without a traceback, each one sentence: what, where, what to do.

JungleError            anything a person can mend; exit code 2
├── BadInput           a file, folder, option or configuration that cannot be used
├── BadCheckpoint      a model file that cannot be opened, or does not fit what was asked of it
├── MissingExtra       an optional library, service or shipped file that is not there
└── NoAnswer           a service that did not do what was required of it; exit code 3
"""

import re
from typing import ClassVar

_OPTION = re.compile(r"<--([a-z-]+)>")


class JungleError(Exception):
    """Shown to the user as one sentence; the command line exits with ``exit_code``.

    The same error serves Python and the command line: an option is written ``<--base-url>`` in the
    sentence, which reads ``base_url`` in ``str(error)`` and ``--base-url`` in :meth:`for_shell`.

    Args:
        problem: what is wrong, and where; the whole sentence where no remedy is given.
        remedy: what to do about it.
        option: the option that does it, without dashes.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, problem: str, remedy: str = "", *, option: str = "") -> None:
        self.sentence = problem  # with its options marked: for an error that quotes this one
        if remedy:
            self.sentence += f": {remedy} with <--{option}>." if option else f": {remedy}."
        super().__init__(_OPTION.sub(lambda match: match[1].replace("-", "_"), self.sentence))

    def __reduce__(self) -> tuple[type["JungleError"], tuple[str]]:
        """Pickle with the marked sentence: errors travel between processes."""
        return type(self), (self.sentence,)

    def for_shell(self) -> str:
        """The sentence as the command line shows it, with the dashes of its options."""
        return _OPTION.sub(r"--\1", self.sentence)


class BadInput(JungleError):
    """A file, folder, option or configuration that cannot be used."""


class BadCheckpoint(JungleError):
    """A model file that cannot be opened, or does not fit what was asked of it."""


class MissingExtra(JungleError):
    """An optional library, service or shipped file that is not there."""

    @classmethod
    def library(cls, module: str, extra: str, purpose: str) -> "MissingExtra":
        """The sentence for an optional library.

        Args:
            module: the library, by the name that Python and pip know it by.
            extra: the optional dependency of this package that installs it.
            purpose: what needs it, as the beginning of a sentence.
        """
        # Not at the top: this imports importlib.metadata, which takes longer than all of click.
        from .installation import install_command

        command = install_command(extra, module)
        return cls(
            f"{purpose} needs the library '{module}': install it with  {command}  "
            "and run the same command again."
        )


class NoAnswer(JungleError):
    """A service that did not do what was required of it; worth another try, later."""

    exit_code = 3
