"""How many examples a property is tried with, and how many histories by chance are played.

DESCRIPTION
    `make test` tries all of them (EXAMPLES=all); `make quick`, and pytest by itself, a third.  They are the same in
    every run: the third is a part of the whole.
"""

import os


def examples(whole: int) -> int:
    """Of so many examples, those for this run; one at least."""
    return whole if os.environ.get("EXAMPLES", "") == "all" else max(1, whole // 3)
