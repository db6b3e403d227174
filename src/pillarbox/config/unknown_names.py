"""Names in main.cf and master.cf that mean nothing: most are typing errors.

DESCRIPTION
    An admin may invent names for use in other values, so a name that nobody knows is a mistake only if no value
    uses it; and a name that a value uses is one if nobody sets it.  postconf tells of them in Postfix's words
    (config/name_usage.py); `unknown_names()` says in which line, and what may be meant.

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
from pillarbox.vocabulary.faults import ConfigurationFault

_WARNING: Final = re.compile(r"(?s)(\S+): (unused|undefined) parameter: ([^=\s]+)")
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
        meant = difflib.get_close_matches(name, parameter_names(), 1, _CLOSE)
        yield f"{warning} (is {meant[0]} meant?)" if meant else warning
