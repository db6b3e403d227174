"""`pillarbox check`: what a start would make of this host's configuration, told before anything is stopped.

DESCRIPTION
    The configurations of both halves are read as a start reads them, and nothing is changed.  First what a start
    would be refused for: all of it where settings can be looked at one by one, else the first of a kind.  Then what
    has no effect or is not served yet, which the log would tell of.  A half without a configuration is left out.

    Only root may read all that a start reads: certificates' keys, and tables that hold passwords.

EXIT STATUS
    0   what is configured would start
    1   a half would not, or none is configured
"""

import os
from collections.abc import Callable
from functools import partial

import msgspec

from pillarbox.config.dovecot.consistency import check_consistency
from pillarbox.config.dovecot.interpretation import databases, mailbox_settings
from pillarbox.config.dovecot.reading import Configuration as MailboxConfiguration
from pillarbox.config.dovecot.reading import read_configuration as read_dovecot_conf
from pillarbox.config.dovecot.unserved import findings as mailbox_findings
from pillarbox.config.findings import refusals, unserved_settings
from pillarbox.config.host_facts import host_facts
from pillarbox.config.reading import Configuration, read_configuration
from pillarbox.config.unknown_names import unknown_names
from pillarbox.config.value_checks import check_values
from pillarbox.supervisor.half import Half
from pillarbox.supervisor.host_values import AccountToCome, check_host_values
from pillarbox.supervisor.mailbox_half import mailbox_half
from pillarbox.supervisor.mta_half import mta_half
from pillarbox.supervisor.service_warnings import service_warnings
from pillarbox.vocabulary.faults import ConfigurationFault


class Report(msgspec.Struct):
    """What there is to say of one half, a line each."""

    refused: list[str] = []
    warnings: list[str] = []

    def attempt(self, step: Callable[[], object]) -> None:
        """Take one step of a start; what it refuses is a line.  An account that is missing yet is no obstacle."""
        try:
            step()
        except AccountToCome as fault:
            self.warnings.append(str(fault))
        except ConfigurationFault as fault:
            self.refused.append(str(fault))


def check(postfix: str, dovecot: str, say: Callable[[str], object]) -> int:
    """Say what a start would make of the directory with main.cf and of dovecot.conf; the exit status."""
    halves = [
        ("MTA", postfix, f"{postfix}/main.cf", mta_report),
        ("mailbox half", dovecot, dovecot, mailbox_report),
    ]
    summary, starts = [], []
    for half, where, file, report_of in halves:
        if not os.path.exists(file):
            summary.append(f"{half}: there is no {file}")
            continue
        report = report_of(where)
        refused, warnings = ([*dict.fromkeys(lines)] for lines in (report.refused, report.warnings))
        for line in [f"refused: {text}" for text in refused] + [f"warning: {text}" for text in warnings]:
            say(line)
        would = f"would not start, {len(refused)} refused" if refused else "would start"
        summary.append(f"{half} ({where}): {would}, {len(warnings)} warned of")
        starts.append(not refused)
    for line in summary:
        say(line)
    return 0 if starts and all(starts) else 1


def mta_report(directory: str) -> Report:
    """Of main.cf and master.cf."""
    report = Report()
    report.attempt(lambda: _look_at_mta(report, read_configuration(directory, facts=host_facts())))
    return report


def _look_at_mta(report: Report, configuration: Configuration) -> None:
    report.refused += map(str, refusals(configuration))
    report.attempt(lambda: check_values(configuration))
    report.attempt(lambda: check_host_values(configuration.snapshot))
    report.attempt(
        lambda: mta_half(configuration, mail_owner=None, listen="", port_offset=0, status_socket="")
    )
    report.warnings += unknown_names(configuration)
    report.warnings += unserved_settings(configuration)
    report.warnings += service_warnings(configuration)


def mailbox_report(path: str) -> Report:
    """Of dovecot.conf and what it includes."""
    report = Report()
    report.attempt(lambda: _look_at_mailboxes(report, read_dovecot_conf(path)))
    return report


def _look_at_mailboxes(report: Report, configuration: MailboxConfiguration) -> None:
    report.attempt(lambda: check_consistency(configuration))
    for kind in ("passdb", "userdb"):
        report.attempt(partial(databases, configuration, kind))
    report.attempt(lambda: _made_half(configuration))
    warnings, refused = mailbox_findings(configuration)
    report.refused += map(str, refused)
    report.warnings += warnings


def _made_half(configuration: MailboxConfiguration) -> Half:
    """What would be started."""
    settings = mailbox_settings(configuration, hostname=host_facts().hostname)
    return mailbox_half(settings, owners=None, listen="", port_offset=0, status_socket="")
