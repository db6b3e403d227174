"""What the mail_log plugin is to tell of: events, and what a line says of a message.

FAULTS
    MailLogFault  the setting's name and what is wrong with it, in Dovecot's words

STANDARDS
    Dovecot 2.3, Plugins.MailLog
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

EVENTS: Final = frozenset(
    "delete undelete expunge save copy mailbox_create mailbox_delete mailbox_rename flag_change".split()
)
FIELDS: Final = ("box", "uid", "msgid", "size", "vsize", "from", "subject", "flags")
"""In the order of a line."""
_DEFAULT_EVENTS: Final = "delete undelete expunge save copy mailbox_delete mailbox_rename"
_DEFAULT_FIELDS: Final = "uid box msgid size"
_BETWEEN: Final = re.compile(r"[ ,]+")


class MailLogFault(Exception):
    """A setting that cannot be understood."""

    def __init__(self, setting: str, kind: str, word: str) -> None:
        super().__init__(f"Unknown {kind} in {setting}: '{word}'")
        self.setting = setting


class MailLogSettings(msgspec.Struct, frozen=True):
    """mail_log_events and mail_log_fields."""

    events: frozenset[str]
    fields: frozenset[str]

    def wants(self, *events: str) -> bool:
        """Whether one of them is told."""
        return not self.events.isdisjoint(events)


NOTHING: Final = MailLogSettings(frozenset(), frozenset())
"""Without the plugin."""


def mail_log_settings(plugin: Mapping[str, str]) -> MailLogSettings:
    """What the plugin block says.  MailLogFault."""
    return MailLogSettings(
        _words(plugin, "mail_log_events", "event", _DEFAULT_EVENTS, EVENTS),
        _words(plugin, "mail_log_fields", "field", _DEFAULT_FIELDS, frozenset(FIELDS)),
    )


def _words(
    plugin: Mapping[str, str], setting: str, kind: str, default: str, known: frozenset[str]
) -> frozenset[str]:
    words = frozenset(filter(None, _BETWEEN.split(plugin.get(setting, default))))
    for word in sorted(words - known):
        raise MailLogFault(setting, kind, word)
    return words
