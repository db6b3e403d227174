"""Facilities of syslog by name (RFC 3164 §4.1.1)."""

from typing import Final

FACILITIES: Final = (
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp "
    ". . . . local0 local1 local2 local3 local4 local5 local6 local7"
).split()
"""By number; a dot has no name."""
FACILITY_NAMES: Final = frozenset(FACILITIES) - {"."}
