"""Options of a command line, by getopt(3).

FAULTS
    Stop  what getopt says of a wrong one on standard error, then the usage as the fatal line
"""

import getopt

from pillarbox.tools.command_settings import Stop, tell
from pillarbox.tools.wrong_options import complaint


def parsed_options(
    program: str, arguments: list[str], letters: str, *, usage: str, status: int = 1
) -> tuple[list[tuple[str, str]], list[str]]:
    """Options with their values, in order, and what follows them; `status` is that of the Stop."""
    try:
        return getopt.getopt(arguments, letters)
    except getopt.GetoptError as error:
        tell(program, complaint(error))
        raise Stop(usage, status) from error
