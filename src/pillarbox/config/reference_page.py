"""What the reference pages of both products' configuration have in common.

DESCRIPTION
    A page is written from the declarations.  A test fails when the page in the repository is not what this
    writes, so a setting cannot change without its documentation.
"""

from collections.abc import Iterable
from pathlib import Path


def by_reason(found: Iterable[tuple[str, str]]) -> list[str]:
    """A paragraph for each reason, with the names that it is for, of pairs (reason, name)."""
    names: dict[str, list[str]] = {}
    for reason, name in found:
        names.setdefault(reason, []).append(name)
    return [
        f"**{reason[:1].upper()}{reason[1:]}:**\n{', '.join(f'`{name}`' for name in sorted(those))}\n"
        for reason, those in names.items()
    ]


def write_page(text: str, arguments: list[str], *, page: str) -> None:
    """Write it to the file that the command line names, or to where it stands in the repository."""
    Path(arguments[0] if arguments else page).write_text(text, encoding="utf-8")
