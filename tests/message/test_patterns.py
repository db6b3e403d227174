"""Regular expressions that Python 3.11.2, which Debian 12 has, and later ones understand alike."""

import re
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "pillarbox"


def test_no_group_is_repeated_possessively() -> None:
    """`(?: x)*+` may take the beginning of what it does not match into its result before Python 3.11.5.

    `(?>(?: x)*)` means the same and is right everywhere; `[ab]*+`, of single characters, is right, too.
    """
    repeated = re.compile(r"""\br?b?r?["'].*(?<!\\)\)(?:[*+?]|\{[0-9,]+\})\+""")
    found = [
        f"{path.relative_to(SOURCE)}:{number}: {line.strip()}"
        for path in SOURCE.rglob("*.py")
        for number, line in enumerate(path.read_text().split("\n"), 1)
        if repeated.search(line)
    ]
    assert found == []
