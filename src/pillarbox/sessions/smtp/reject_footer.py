"""What is added to each reply with 4xx or 5xx (smtpd_reject_footer, smtpd_reject_footer_maps).

DESCRIPTION
    A table is asked with the whole reply; what it does not know gets smtpd_reject_footer.  `\\c` at the beginning
    of the text joins it to the reply, `\\n` begins a line; lines have the reply's code, and its enhanced code if it
    has one.  `$name` stands for what is known of the client.

    A text that cannot be expanded is left out, with a warning.

STANDARDS
    postconf(5); RFC 5321 §4.2.1 (replies of several lines), RFC 2034 §4 (each with the enhanced code)
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pillarbox.config.expansion_syntax import ExpansionError
from pillarbox.config.name_expansion import expand_names
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.reply import Reply

_ENHANCED: Final = re.compile(rb"[245]\.[0-9]{1,3}\.[0-9]{1,3} ")


class RejectFooter:
    """One service's."""

    def __init__(self, template: str, tables: Sequence[LookupTable], *, allowed: str) -> None:
        """`allowed` are the characters that values may bring in (smtpd_expansion_filter)."""
        self._allowed = allowed
        self._template = template
        self._tables = tables

    def __bool__(self) -> bool:
        return bool(self._template or self._tables)

    def added(self, reply: Reply, values: Mapping[str, str | None], *, warn: Callable[[str], None]) -> Reply:
        """The reply, longer if it is a refusal and there is something to add."""
        if reply.code < 400 or not self:
            return reply
        template = self._of(reply, warn)
        joins = template.startswith("\\c")
        lines: list[bytes] = []
        try:
            for part in template.removeprefix("\\c").split("\\n") if template else ():
                expanded = expand_names(part, values, allowed=self._allowed)
                for name in sorted(expanded.unknown):
                    warn(f'unknown macro name "{name}" in expansion request')
                lines.append(expanded.text.encode("utf-8", "surrogateescape"))
        except ExpansionError as error:
            warn(str(error))
            return reply
        last = reply.text[-1]
        enhanced = _ENHANCED.match(last)
        head = enhanced[0] if enhanced is not None else b""
        text = reply.text
        if joins and lines:
            text = (*text[:-1], last + lines.pop(0))
        return Reply(reply.code, (*text, *(head + line for line in lines)))

    def _of(self, reply: Reply, warn: Callable[[str], None]) -> str:
        said = reply.encode().removesuffix(b"\r\n").decode("utf-8", "surrogateescape")
        for table in self._tables:
            try:
                found = table.query(said)
            except LookupFault as fault:
                warn(f"smtpd_reject_footer_maps: {fault.reason}")
                break
            if found is not None:
                return found
        return self._template
