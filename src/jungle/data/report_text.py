"""Words that the reports before training share: counts, sizes, times, examples."""

from collections.abc import Mapping, Sequence

from .folders import SkippedFile

FEW = 30  # files below which a class is hardly learnt
SHOWN = 5  # examples of anything in the text; the JSON has all
BAR = 30  # characters


def count_noun(count: int, word: str) -> str:
    """``1,024 photos``."""
    return f"{count:,} {word}{'s' * (count != 1)}"


def counts(found: Mapping[str, int]) -> str:
    """``JPEG 12, PNG 3``."""
    return ", ".join(f"{name} {count:,}" for name, count in found.items())


def bytes_text(count: int) -> str:
    """``3.0 GB`` or ``20 MB``."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"


def duration(seconds: float) -> str:
    """``40 seconds``, ``12 minutes`` or ``1.5 hours``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def list_examples(lines: Sequence[str]) -> list[str]:
    """The first :data:`SHOWN` lines, indented, and how many more there are."""
    more = [f"  ... and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return [f"  {line}" for line in lines[:SHOWN]] + more


def bars(classes: Mapping[str, int]) -> list[str]:
    """A line for each class with a bar as long as its share of the largest."""
    most, width = max(classes.values()), max(map(len, classes))
    return [
        f"  {name:{width}} {count:8,}  {'#' * max(1, round(BAR * count / most))}"
        for name, count in classes.items()
    ]


def skipped_files(skipped: Sequence[SkippedFile]) -> list[str]:
    """What is not used, and why."""
    if not skipped:
        return ["Unreadable: none."]
    return [
        f"Skipped: {len(skipped):,}.",
        *list_examples([f"{s.path}: {s.reason}" for s in skipped]),
    ]


Groups = Sequence[Sequence[str]]


def describe_duplicates(word: str, exact: Groups, near: Groups, disputed: Groups) -> list[str]:
    """Groups of files that are the same or almost the same, and those among them that lie in
    different classes.
    """
    lines: list[str] = []

    for title, groups in (("Exact duplicates", exact), ("Near duplicates", near)):
        extra = sum(len(group) - 1 for group in groups)
        lines.append(
            f"{title}: {count_noun(extra, word)} in {len(groups):,} groups."
            if groups
            else f"{title}: none."
        )
        lines += list_examples(
            [" = ".join(group[:3]) + (" = ..." if len(group) > 3 else "") for group in groups]
        )

    # Only a person can decide these.
    if disputed:
        lines.append(
            f"The same {word} in different classes: {len(disputed):,} groups. Decide which class "
            "is right."
        )
        lines += list_examples([" = ".join(group[:3]) for group in disputed])

    return lines
