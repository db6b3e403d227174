"""What an admin should hear of before a start: parameters that are set and not served.

DESCRIPTION
    `findings(snapshot)` looks at everything that main.cf and a service's `-o` options set; `start_warnings()`
    does so for all services of a configuration, and refuses the start if it has to.  A value equal to the
    default is no finding, however it is spelled; so a stock main.cf gives few.  `refusals()` names all that end a
    start, for whoever wants to know them at once.

    Names that nobody knows are not findings here: an admin may invent names for use in other values.
    Of those that no value uses unknown_names.py tells.

FAULTS
    ConfigurationFault  a value cannot be expanded; in `start_warnings()` also a parameter that is refused.
"""

from collections.abc import Iterator, Sequence

import msgspec

from pillarbox.config.postfix_parameters import SERVED
from pillarbox.config.reading import SET_BY_READING, Configuration
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.treatment import Kind
from pillarbox.config.unserved_parameters import treatment
from pillarbox.config.unserved_tables import UNSERVED_TABLES, unserved_table
from pillarbox.vocabulary.faults import ConfigurationFault


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


def start_warnings(configuration: Configuration) -> tuple[str, ...]:
    """What a start should log: of syntax, then of parameters that are not served.

    ConfigurationFault for the first parameter that must not be ignored, or that names a table of a type that is
    not served; it says how many more there are.
    """
    refused = refusals(configuration)
    if refused:
        first = refused[0]
        more = f"; {len(refused) - 1} more like it" if len(refused) > 1 else ""
        raise ConfigurationFault(first.where, f"{first.what}{more}", mend=first.mend)
    return unserved_settings(configuration)


def refusals(configuration: Configuration) -> list[ConfigurationFault]:
    """All that a start is refused for because it is not served: types of tables, then parameters."""
    snapshots = _snapshots(configuration)
    found = [fault for snapshot in snapshots for fault in _unserved_tables(snapshot)]
    found += [
        ConfigurationFault(
            finding.where, f"parameter {finding.name}: {finding.reason}", mend="remove it to start without it"
        )
        for finding in _all_findings(snapshots)
        if finding.kind is Kind.REFUSED
    ]
    return list({str(fault): fault for fault in found}.values())


def unserved_settings(configuration: Configuration) -> tuple[str, ...]:
    """A line for each setting that is ignored or has no effect, after what is odd in the files' syntax."""
    told = (
        finding.text
        for finding in _all_findings(_snapshots(configuration))
        if finding.kind is not Kind.REFUSED
    )
    return (*configuration.warnings, *told)


def _snapshots(configuration: Configuration) -> list[Snapshot]:
    services = configuration.master_cf.services
    return [configuration.snapshot, *(configuration.for_service(service) for service in services)]


def _all_findings(snapshots: Sequence[Snapshot]) -> list[Finding]:
    return list(dict.fromkeys(finding for snapshot in snapshots for finding in findings(snapshot)))


def _unserved_tables(snapshot: Snapshot) -> Iterator[ConfigurationFault]:
    for name, value in (snapshot.values | snapshot.overrides).items():
        if name not in SERVED:
            continue
        kind = unserved_table(snapshot.value(name))
        if kind is not None:
            yield ConfigurationFault(
                value.where,
                f"parameter {name}: unsupported dictionary type: {kind}",
                mend=UNSERVED_TABLES[kind],
            )


def findings(snapshot: Snapshot) -> list[Finding]:
    """Settings that are not served, in the order of their lines; `REFUSED` ones first."""
    found: list[Finding] = []
    for name, value in (snapshot.values | snapshot.overrides).items():
        treated = treatment(name)
        if name in SET_BY_READING or treated.kind in (Kind.SERVED, Kind.UNKNOWN):
            continue
        default = snapshot.default(name)
        if default is not None and _same(snapshot.value(name), snapshot.expand(default)):
            continue
        found.append(Finding(value.where, name, treated.kind, treated.reason))
    return sorted(found, key=lambda finding: finding.kind is not Kind.REFUSED)


def _same(left: str, right: str) -> bool:
    """Whether two values differ in blanks, commas and the case of letters at most."""
    return left.replace(",", " ").lower().split() == right.replace(",", " ").lower().split()
