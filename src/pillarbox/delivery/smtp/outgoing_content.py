"""The content of a message as one server is to get it: converted, checked, with addresses that the world knows.

DESCRIPTION
    smtp_header_checks and its kin may change lines, smtp_generic_maps addresses in the header, and a server without
    8BITMIME gets quoted-printable.  A message that needs nothing of that goes by in whole blocks.
"""

from collections.abc import Iterable
from itertools import chain
from typing import Final

from pillarbox.delivery.smtp.mime_downgrade import downgraded
from pillarbox.delivery.smtp.outgoing_header import rewritten
from pillarbox.delivery.smtp.request import DeliverBySmtp
from pillarbox.delivery.smtp.service import Service
from pillarbox.delivery.smtp.session import Session
from pillarbox.filters.content_checks import Inspector
from pillarbox.message.address_lists import address_of, external_form
from pillarbox.message.address_rewriting import HeaderRewriting
from pillarbox.observability import events
from pillarbox.queue.content_blocks import QueuedContent
from pillarbox.routing.address_maps import AddressMaps
from pillarbox.tables.table import Warn
from pillarbox.wire.smtp.client import in_blocks

_VERBS: Final = frozenset(("IGNORE", "INFO", "PREPEND", "REPLACE", "STRIP", "WARN"))


def outgoing(
    content: QueuedContent, session: Session, service: Service, job: DeliverBySmtp
) -> Iterable[bytes]:
    """Blocks of whole lines."""
    keeps_octets = not session.downgrades(job.encoding)
    fields = list(service.flags.fields(job, service.generic))
    if keeps_octets and not service.checks.any and not service.generic:
        return (
            chain((b"".join(field + b"\r\n" for field in fields),), content.blocks())
            if fields
            else content.blocks()
        )

    def tell(verb: str, kind: str, line: bytes, text: bytes) -> None:
        said = f": {text.decode('utf-8', 'surrogateescape')}" if text else ""
        shown = line[:60].decode("utf-8", "surrogateescape")
        service.tell(events.Noted(f"{job.queue_id}: {verb}: {kind} {shown}{said}"))

    def warn(reason: str) -> None:
        service.tell(events.Warned(reason))

    lines: Iterable[bytes] = chain(fields, content.lines())
    if not keeps_octets:
        lines = downgraded(lines)
    if service.checks.any:
        lines = Inspector(service.checks, tell, warn, verbs=_VERBS).lines(lines)
    if service.generic:
        lines = rewritten(lines, _generic(service.generic, warn))
    return in_blocks(lines)


def _generic(maps: AddressMaps, warn: Warn) -> HeaderRewriting:
    """Addresses that the tables do not have stay as they are written."""

    def mapped(external: str) -> str | None:
        results = maps.map(address_of(external))
        return None if results is None else external_form(results[0])

    return HeaderRewriting(mapped, mapped, senders_mapped=True, recipients_mapped=True, warn=warn)
