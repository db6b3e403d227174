"""Which tests stay together in one process when they run in several (pytest-xdist).

DESCRIPTION
    A module has fixtures that start a whole system for all of its tests, some of them once for each mode or
    product.  So a group is a module, and the system's name in the test's parameters.

        test_clients.py::test_swaks[root-TLS]   →   test_clients.py, root

    xdist's own way, `--dist loadgroup`, changes the names of tests, and pytest 9.2 lets nobody do that any more.
"""

import re
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

SYSTEMS: Final = frozenset(
    {"root", "rootless", "original", "pillarbox", "postfix", "exim4", "opensmtpd"}
    | {f"{mta}+{store}" for mta in ("postfix", "pillarbox") for store in ("dovecot", "pillarbox")}
)
"""Values of parameters that a fixture for a whole module is made for."""

_PARAMETERS: Final = re.compile(r"\[(.*)\]$", re.DOTALL)


def group(nodeid: str) -> str:
    """The group of a test."""
    found = _PARAMETERS.search(nodeid)
    made_for = SYSTEMS.intersection(found[1].split("-")) if found else ()
    return " ".join([nodeid.partition("::")[0], *sorted(made_for)])


def scheduling(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Gives whole groups to processes, in the order of the tests."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = group
    return scheduler
