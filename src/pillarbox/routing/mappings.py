"""What cleanup(8) does to the addresses of a message: its sender, its recipients, those in its header.

DESCRIPTION
    Envelope addresses are brought to standard form, then go through sender_canonical_maps or
    recipient_canonical_maps, canonical_maps and masquerading, each for the classes that main.cf names.  Recipients
    then become what virtual_alias_maps makes of them.  Copies (sender_bcc_maps, recipient_bcc_maps, always_bcc)
    are made for mail from outside.  A recipient that comes twice in the same way is queued once.

    Addresses in headers go the same way up to masquerading, if the client's headers are rewritten at all
    (local_header_rewrite_clients, remote_header_rewrite_domain).

FAULTS
    LookupFault     a table cannot answer: the message is to come again
    ExpansionFault  tables that lead to no end

STANDARDS
    cleanup(8); ADDRESS_REWRITING_README; RFC 3461 §5.2.7 (NOTIFY of copies and aliases)
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from pillarbox.message.address_lists import address_of, external_form
from pillarbox.message.address_rewriting import HeaderRewriting, Rewrite
from pillarbox.queue.new_queue_file import NewRecipient
from pillarbox.routing.address_maps import AddressMaps
from pillarbox.routing.alias_expansion import AliasLimits, expand
from pillarbox.routing.masquerading import Masquerading
from pillarbox.routing.rewriting import AddressRewriting, is_complete
from pillarbox.tables.table import Warn
from pillarbox.vocabulary.address import NULL_ADDRESS, Address
from pillarbox.vocabulary.envelope import Notify, without_success

_RECURSION: Final = 10
"""How often a canonical map is asked for what it gave."""
_MAILER_DAEMON: Final = b"mailer-daemon"


class Mapping(msgspec.Struct, frozen=True):
    """Canonical tables and the classes of addresses that they are for."""

    maps: AddressMaps
    classes: frozenset[str]

    def apply(self, address: Address, kind: str, warn: Warn) -> Address:
        """The address after the tables, if they are for its class."""
        if not self.maps.tables or kind not in self.classes:
            return address
        return self.maps.map_one(address, limit=_RECURSION, warn=warn)


class Mappings(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf says of it, tables opened."""

    rewriting: AddressRewriting
    sender_canonical: Mapping
    recipient_canonical: Mapping
    canonical: Mapping
    masquerading: Masquerading
    masquerade_classes: frozenset[str]
    aliases: AddressMaps
    alias_limits: AliasLimits = AliasLimits()
    sender_bcc: AddressMaps
    recipient_bcc: AddressMaps
    always_bcc: str = ""
    keeps_original: bool = True  # enable_original_recipient
    empty_address: bytes = b"MAILER-DAEMON"  # empty_address_recipient
    duplicate_limit: int = 0  # duplicate_filter_limit; 0: none
    most_header_tokens: int = 0  # header_address_token_limit

    # -- envelope --------------------------------------------------------------------------------------

    def sender(self, address: Address, *, warn: Warn, mapped: bool = True) -> Address:
        """The envelope sender; `mapped` is False with receive_override_options = no_address_mappings.

        The null sender is looked up, too, as `""`: tables of patterns, and those of all addresses, may have it.
        """
        address = self.rewriting.rewrite(address)
        if address.local_part.lower() == _MAILER_DAEMON and (
            address.domain.lower() == self.rewriting.myorigin.lower()
        ):
            address = NULL_ADDRESS
        return self._mapped(address, self.sender_canonical, "envelope_sender", warn) if mapped else address

    def recipients(
        self,
        given: Iterable[NewRecipient],
        *,
        sender: Address,
        warn: Warn,
        copies: bool = True,
        decreed: Iterable[bytes] = (),
        mapped: bool = True,
        utf8: bool = False,
    ) -> list[NewRecipient]:
        """The recipients to queue for those that were given, in order.

        `sender` is as `sender()` gave it; `copies`: the message is from outside, so that bcc maps count;
        `decreed`: who gets copies by header and body checks, which bcc maps are not asked for;
        `utf8`: an original recipient who is not named in ASCII is one of type utf-8 (RFC 6533 §3).
        """
        queue = _Queued(self.keeps_original, self.duplicate_limit, utf8)

        def copy(found: str | bytes | None) -> None:
            """A recipient whom only we know of: the sender hears nothing of it."""
            if found is not None:
                text = found if isinstance(found, bytes) else found.encode("utf-8", "surrogateescape")
                address = self.recipient(Address.from_internal(text.strip()), warn=warn, mapped=mapped)
                one = NewRecipient(address.internal, address.internal, Notify.NEVER)
                self._queue(address, one, queue, mapped=mapped, asked=b"")

        if copies and self.sender_bcc.tables and not sender.is_null:
            copy(self.sender_bcc.find(sender))
        maps = mapped and (
            bool(self.aliases.tables) or self._maps("envelope_recipient", self.recipient_canonical)
        )
        asks_for_copy = bool(copies and self.recipient_bcc.tables)
        for one in given:
            if not (maps or asks_for_copy) and one.dsn_original and is_complete(one.address):
                queue.add(one)  # as it stands
                continue
            address = self.recipient(Address.from_internal(one.address), warn=warn, mapped=mapped)
            self._queue(address, one, queue, mapped=mapped)
            if asks_for_copy:
                copy(self.recipient_bcc.find(address))
        if copies and self.always_bcc:
            copy(self.always_bcc)
        for address_text in decreed:
            copy(address_text)
        return queue.recipients

    def recipient(self, address: Address, *, warn: Warn, mapped: bool = True) -> Address:
        """An envelope recipient before virtual_alias_maps."""
        if address.is_null:
            address = Address(self.empty_address, b"")
        address = self.rewriting.rewrite(address)
        if not mapped:
            return address
        return self._mapped(address, self.recipient_canonical, "envelope_recipient", warn)

    def _mapped(self, address: Address, own: Mapping, kind: str, warn: Warn) -> Address:
        address = self.canonical.apply(own.apply(address, kind, warn), kind, warn)
        if kind in self.masquerade_classes and self.masquerading.domains:
            return self.masquerading.masquerade(address)
        return address

    def _queue(
        self,
        address: Address,
        given: NewRecipient,
        queue: "_Queued",
        *,
        mapped: bool,
        asked: bytes | None = None,
    ) -> None:
        """`asked`: the original recipient of RFC 3461 §4.2, if it is not that of `given`."""
        if asked is None:
            kind = b"utf-8;" if queue.utf8 and not address.is_ascii else b"rfc822;"
            asked = given.dsn_original or kind + address.internal
        results = expand(address, self.aliases, self.alias_limits) if mapped else [address]
        notify = given.notify
        if notify and notify & Notify.SUCCESS and (len(results) > 1 or results[0].folded != address.folded):
            queue.add(NewRecipient(address.internal, given.original, notify, asked, expanded=True))
            notify = without_success(notify)
        before = address.internal
        for result in results:
            found = result.internal
            changed = b"" if found == before else before
            queue.add(NewRecipient(found, given.original, notify, asked, before_aliases=changed))

    # -- headers ---------------------------------------------------------------------------------------

    def headers(self, rewriting: AddressRewriting, *, warn: Warn, mapped: bool = True) -> HeaderRewriting:
        """What becomes of addresses in headers, for a client whose headers are completed by `rewriting`."""

        def standard_form(external: str) -> str:
            if not external:  # a backslash with nothing behind it
                warn("rewrite_addr: null address")
            return rewriting.rewrite_text(external)

        def rewrite(own: Mapping, kind: str) -> Rewrite:
            def rewritten(external: str) -> str:
                standard = standard_form(external)
                address = address_of(standard)
                found = self._mapped(address, own, kind, warn)
                return standard if found is address else external_form(found)

            return rewritten

        if not mapped:
            return HeaderRewriting(
                standard_form,
                standard_form,
                warn=warn,
                most_tokens=self.most_header_tokens,
            )
        return HeaderRewriting(
            rewrite(self.sender_canonical, "header_sender"),
            rewrite(self.recipient_canonical, "header_recipient"),
            senders_mapped=self._maps("header_sender", self.sender_canonical),
            recipients_mapped=self._maps("header_recipient", self.recipient_canonical),
            warn=warn,
            most_tokens=self.most_header_tokens,
        )

    def _maps(self, kind: str, own: Mapping) -> bool:
        """Whether complete addresses of the class may change."""
        return (
            bool(own.maps.tables and kind in own.classes)
            or bool(self.canonical.maps.tables and kind in self.canonical.classes)
            or bool(self.masquerading.domains and kind in self.masquerade_classes)
        )


class _Queued:
    """Recipients so far, each once."""

    __slots__ = ("_by_original", "_limit", "_seen", "recipients", "utf8")

    def __init__(self, by_original: bool, limit: int, utf8: bool) -> None:
        self.utf8 = utf8
        self._by_original = by_original
        self._limit = limit
        self._seen: dict[tuple[object, ...], int] = {}  # and their places
        self.recipients: list[NewRecipient] = []

    def add(self, recipient: NewRecipient) -> None:
        """One more, unless it is there."""
        if recipient.expanded:
            self.recipients.append(recipient)
            return
        address = recipient.address.lower()
        key: tuple[object, ...] = (address,)
        if self._by_original:
            key = (address, recipient.original.lower(), int(recipient.notify), recipient.dsn_original.lower())
        known = self._seen.get(key)
        if known is not None:
            if not recipient.before_aliases.isascii():  # as somebody has named it, which counts for SMTPUTF8
                self.recipients[known] = msgspec.structs.replace(
                    self.recipients[known], before_aliases=recipient.before_aliases
                )
            return
        if not self._limit or len(self._seen) < self._limit:
            self._seen[key] = len(self.recipients)
        self.recipients.append(recipient)
