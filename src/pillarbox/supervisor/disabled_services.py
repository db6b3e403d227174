"""Services of master.cf that master_service_disable turns off.

DESCRIPTION
    A pattern is a type, `inet`, or `name/type` (before Postfix 2.11: `name.type`), in letters of either case; `!`
    in front turns on what a later pattern would turn off.  The first pattern that matches counts.
"""

from collections.abc import Iterable

import msgspec

from pillarbox.config.parameters.processes import Processes
from pillarbox.config.reading import Configuration
from pillarbox.config.snapshot import Snapshot


def without_disabled(configuration: Configuration) -> Configuration:
    """The configuration as if the lines of services that are off were not in master.cf."""
    patterns = configuration.snapshot.group(Processes).master_service_disable
    if not patterns:
        return configuration
    master_cf = configuration.master_cf
    services = tuple(one for one in master_cf.services if not _matches(patterns, one.name, one.type))
    return msgspec.structs.replace(
        configuration, master_cf=msgspec.structs.replace(master_cf, services=services)
    )


def is_disabled(snapshot: Snapshot, name: str, kind: str) -> bool:
    """Whether a service is off."""
    return _matches(snapshot.group(Processes).master_service_disable, name, kind)


def _matches(patterns: Iterable[str], name: str, kind: str) -> bool:
    for pattern in patterns:
        wanted = pattern.lstrip("!").lower()
        if wanted in (kind.lower(), f"{name}/{kind}".lower(), f"{name}.{kind}".lower()):
            return (len(pattern) - len(wanted)) % 2 == 0
    return False
