"""postalias(1) and newaliases(1): make, ask, change and list alias databases.

DESCRIPTION
    postalias [-Nfinoprsuvw] [-c config_dir] [-d key] [-q key] [type:]file …
    newaliases [-v]

    The options are postmap's.  The source is aliases(5): `name: value, value …`; `-q -` and -s print
    `name:` with a colon.  Each database ends with the entries that sendmail and NIS look for.

    newaliases is postalias for the databases in alias_database.

FAULTS
    As postmap.  newaliases: exit 64 for arguments.
"""

import getopt
import os
import sys
from typing import Final

from pillarbox.config.parameters.local_recipients import LocalRecipients
from pillarbox.tables.alias_source import alias_entries
from pillarbox.tools import run_command
from pillarbox.tools.command_settings import Stop, read_settings, tell
from pillarbox.tools.postmap import run_table_command
from pillarbox.tools.table_request import Command
from pillarbox.vocabulary.faults import ConfigurationFault

POSTALIAS: Final = Command(
    program="postalias",
    letters="Nc:d:finopq:rsuvw",
    usage="usage: postalias [-Nfinoprsuvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
    entries=alias_entries,
    key_end=":",
    signs_aliases=True,
)
_EX_USAGE: Final = 64
_EX_CONFIG: Final = 75


def main(argv: list[str] | None = None) -> int:
    """Run postalias; the exit status."""
    return run_table_command(POSTALIAS, sys.argv[1:] if argv is None else argv)


def newaliases(argv: list[str] | None = None) -> int:
    """Run newaliases; the exit status."""
    try:
        given, arguments = getopt.getopt(sys.argv[1:] if argv is None else argv, "C:vI")
    except getopt.GetoptError as error:
        print(f"newaliases: invalid option -- '{error.opt[:1]}'", file=sys.stderr)
        tell("newaliases", "fatal: usage: newaliases [options]")
        return _EX_USAGE
    if arguments:
        tell("newaliases", "fatal: alias initialization mode requires no recipient")
        return _EX_USAGE
    directory = next((os.path.dirname(value) for letter, value in given if letter == "-C"), "")
    try:
        databases = read_settings(directory).group(LocalRecipients).alias_database
    except (Stop, ConfigurationFault) as fault:
        tell("newaliases", f"fatal: {fault}")
        return _EX_CONFIG
    if not databases:
        return 0
    verbose = ["-v"] if ("-v", "") in given else []
    return main([*verbose, *(["-c", directory] if directory else []), *databases])


if __name__ == "__main__":
    run_command(main)
