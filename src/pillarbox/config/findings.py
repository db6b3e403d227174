"""What an admin should hear of before a start: parameters that are set and not served.

DESCRIPTION
    `findings(snapshot)` looks at everything that main.cf and a service's `-o` options set.  A value equal to
    the default is no finding, however it is spelled; so a stock main.cf gives few.  The caller logs them, and
    refuses to start if one is `REFUSED`.

    Names that nobody knows are not findings here: an admin may invent names for use in other values.
    postconf tells of those that no value uses.

FAULTS
    ConfigurationFault from expanding a value.
"""

import msgspec

from pillarbox.config.snapshot import Snapshot
from pillarbox.config.treatment import Kind
from pillarbox.config.unserved_parameters import treatment


class Finding(msgspec.Struct, frozen=True):
    """One setting that does not do what it says."""

    where: str
    name: str
    kind: Kind
    reason: str

    @property
    def text(self) -> str:
        """One line for the log."""
        match self.kind:
            case Kind.REFUSED:
                return f"{self.where}: parameter {self.name}: {self.reason} (remove it to start without it)"
            case Kind.NO_EFFECT:
                return f"{self.where}: parameter {self.name} has no effect: {self.reason}"
        return f"{self.where}: parameter {self.name} is ignored: {self.reason}"


def findings(snapshot: Snapshot) -> list[Finding]:
    """Settings that are not served, in the order of their lines; `REFUSED` ones first."""
    found: list[Finding] = []
    for name, value in (snapshot.values | snapshot.overrides).items():
        treated = treatment(name)
        if treated.kind in (Kind.SERVED, Kind.UNKNOWN):
            continue
        default = snapshot.default(name)
        if default is not None and _same(snapshot.value(name), snapshot.expand(default)):
            continue
        found.append(Finding(value.where, name, treated.kind, treated.reason))
    return sorted(found, key=lambda finding: finding.kind is not Kind.REFUSED)


def _same(left: str, right: str) -> bool:
    """Whether two values differ in blanks, commas and the case of letters at most."""
    return left.replace(",", " ").lower().split() == right.replace(",", " ").lower().split()
