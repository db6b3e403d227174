"""What a client is told that a block list has: rbl_reply_maps and default_rbl_reply.

DESCRIPTION
    A table is asked for the list as it stands in the restriction, `zone` or `zone=127.0.0.2`; what it does not know
    gets default_rbl_reply.  In the text `$rbl_code`, `$rbl_class`, `$rbl_what`, `$rbl_domain` and `$rbl_reason`
    stand for what was found, and `$client`, `$sender` … for the session.  It begins with a code; an enhanced code
    may follow.

FAULTS
    A table that cannot answer is 451 4.3.5.  A text that cannot be expanded is as if there were none; one that does
    not begin with a code is 450 4.7.1.  Both stand in the log.

STANDARDS
    postconf(5); RFC 3463 §3.8 (X.7.1)
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from pillarbox.access.access_tables import fixed_status
from pillarbox.access.question import Question, Subject, refusal
from pillarbox.access.session_values import session_values
from pillarbox.config.expansion_syntax import ExpansionError
from pillarbox.config.name_expansion import expand_names
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.reply import Reply

_REPLY: Final = re.compile(r"([45][0-9]{2}) +(?:[245](\.[0-9]{1,3}\.[0-9]{1,3})(?: +|\Z))?(.*)", re.DOTALL)
_CLASSES: Final = {"Sender address": Subject.SENDER, "Recipient address": Subject.RECIPIENT}


class RblReplies(msgspec.Struct, frozen=True):
    """Of one configuration."""

    host: str
    clock: Clock
    template: str  # default_rbl_reply
    allowed: str  # characters that values may bring in (smtpd_expansion_filter)
    tables: Sequence[LookupTable] = ()  # rbl_reply_maps

    def reply(self, question: Question, zone: str, *, reason: str, class_name: str, what: str) -> Reply:
        """To a client of which `class_name` (Client host …), that is `what`, is in the list `zone`."""
        try:
            template = next(filter(None, (table.query(zone) for table in self.tables)), None)
        except LookupFault as fault:
            question.tell_warning(fault.reason)
            return Reply(451, (b"4.3.5 Server configuration error",))
        session = session_values(question.client, question.recipient, host=self.host, now=self.clock.now())
        values = session | {
            "rbl_code": str(question.codes.maps_rbl_reject_code),
            "rbl_domain": zone.partition("=")[0],
            "rbl_reason": reason,
            "rbl_txt": reason,
            "rbl_what": what,
            "rbl_class": class_name,
        }
        text = self._expanded(template, values, question.tell_warning) if template is not None else None
        if text is None:
            text = self._expanded(self.template, values, question.tell_warning) or ""
        match = _REPLY.match(text)
        if match is None:
            question.tell_warning(f"rbl response code configuration error: {text}")
            return refusal(450, "4.7.1", b"Service unavailable")
        status = fixed_status(match[2] or ".7.1", _CLASSES.get(class_name))
        said = match[3].encode("utf-8", "surrogateescape") or b"Service unavailable"
        return refusal(int(match[1]), match[1][0] + status, said)

    def _expanded(
        self, template: str, values: Mapping[str, str | None], warn: Callable[[str], None]
    ) -> str | None:
        """None if it cannot be expanded."""
        try:
            expanded = expand_names(template, values, allowed=self.allowed)
        except ExpansionError as error:
            warn(f"{template[:200]}: {error}")
            return None
        for name in sorted(expanded.unknown):
            warn(f'unknown macro name "{name}" in expansion request')
        return expanded.text
