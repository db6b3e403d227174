"""Names in main.cf and master.cf that mean nothing: most are typing errors.

DESCRIPTION
    An admin may invent names for use in other values, so a name that nobody knows is a mistake only if no value
    uses it; and a name that a value uses is one if nobody sets it.  postconf tells of them in Postfix's words
    (config/name_usage.py); `unknown_names()` says in which line, and what may be meant.  A name made
    from that of a service, as slow_destination_rate_delay, means nothing if master.cf has no such service.

FAULTS
    OSError, ConfigurationFault   the files cannot be read, or a value is no text with references
"""

import difflib
import re
from collections.abc import Iterator
from typing import Final

from pillarbox.config.expansion_syntax import ExpansionError
from pillarbox.config.listing import read_listing
from pillarbox.config.name_usage import parameter_names
from pillarbox.config.reading import Configuration
from pillarbox.config.unserved_parameters import COMMAND_PARAMETERS, TRANSPORT_PARAMETERS
from pillarbox.vocabulary.faults import ConfigurationFault

_WARNING: Final = re.compile(r"(?s)(\S+): (unused|undefined) parameter: ([^=\s]+)")
_OF_SERVICE: Final = re.compile(f"(.+?)_(?:{'|'.join((*TRANSPORT_PARAMETERS, *COMMAND_PARAMETERS))})")
_CLOSE: Final = 0.85


def unknown_names(configuration: Configuration) -> Iterator[str]:
    """A warning for each, main.cf's first."""
    snapshot = configuration.snapshot
    try:
        usage = read_listing(
            configuration.directory,
            facts=snapshot.facts,
            overrides={},
            named=False,
            main_cf=True,
            master_cf=True,
        ).usage
    except ExpansionError as error:
        raise ConfigurationFault(configuration.directory, str(error)) from error
    for warning in dict.fromkeys((*usage.unused_in_main, *usage.undefined, *usage.unused_in_master)):
        match = _WARNING.match(warning)
        if match is None:
            yield warning
            continue
        path, kind, name = match.groups()
        value = snapshot.values.get(name)
        if kind == "unused" and warning in usage.unused_in_main and value is not None:
            warning = f"{value.where}{warning.removeprefix(path)}"
        hint = _hint(name)
        yield f"{warning} ({hint})" if hint else warning


def _hint(name: str) -> str:
    """What may be wrong: a service that is not there, or a letter; empty if there is no telling."""
    of_service = _OF_SERVICE.fullmatch(name)
    meant = difflib.get_close_matches(name, parameter_names(), 1, _CLOSE)
    if of_service and ("_destination_" in name or not meant):
        return f"there is no service {of_service[1]} in master.cf that it is about"
    return f"is {meant[0]} meant?" if meant else ""
