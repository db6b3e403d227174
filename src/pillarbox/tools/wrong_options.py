"""What getopt(3) says of an option that is wrong.

STANDARDS
    glibc: of `--word`, the second hyphen is the letter that is no option
"""

import getopt


def complaint(error: getopt.GetoptError) -> str:
    """To stand behind the program's name."""
    problem = "option requires an argument" if "requires" in error.msg else "invalid option"
    letter = "-" if error.msg.startswith("option --") else error.opt
    return f"{problem} -- '{letter}'"
