"""Local delivery of one recipient: aliases, .forward files, mailboxes, and who does not exist.

DESCRIPTION
    A recipient is, in this order: an alias (with its extension, then without), a user with a .forward file, a user
    with a mailbox, and nobody.  What an alias lists is delivered to in turn; an address of ours among it goes the
    same way again, another one gets a new message in the queue.

    Nothing here reads or writes as somebody else: what needs the rights of a user, or of an alias file's owner, is
    asked of an agent that has them (agent_work.py).

    Delivered twice is only what has to be: everything that was done for a recipient is remembered.  A message that
    has the recipient's Delivered-To: already is a loop, and bounced.

    An alias `list` with a companion `owner-list` changes the sender: bounces go to the list's owner.  Not of a
    delivery report: whoever the owner is, and whatever the owner's own alias lists, a report on a report would only
    come back here (RFC 3464 §2), and so on without end.

    If others pass on what is for a user (mailbox_transport), new messages are queued when it is known that those do
    not have to wait: `forward` is asked for that.

FAULTS
    As attempts; nothing is raised for what happened to mail.  If anything has to wait, the whole recipient is
    tried again, and no message is forwarded this time.

STANDARDS
    local(8), aliases(5)
"""

import os
from collections.abc import Sequence
from typing import Final

import msgspec

from pillarbox.config.expansion_syntax import ExpansionError
from pillarbox.config.name_expansion import expand_names
from pillarbox.delivery.local.alias_lookup import find_alias, owner_of_alias
from pillarbox.delivery.local.attempts import Attempts
from pillarbox.delivery.local.command_runs import client_environment
from pillarbox.delivery.local.destinations import destinations
from pillarbox.delivery.local.forwarding import ForwardFault
from pillarbox.delivery.local.frames import (
    CommandMail,
    DeliverLocally,
    FileMail,
    IncludeMail,
    LocalJobDone,
    UserMail,
    Work,
)
from pillarbox.delivery.local.include_files import IncludeFault, read_include
from pillarbox.delivery.local.listed_files import NotRead, below_home, lines_of
from pillarbox.delivery.local.local_names import LocalNames
from pillarbox.delivery.local.means import Means, UserFault
from pillarbox.delivery.local.pending_forwards import PendingForwards
from pillarbox.delivery.local.recipient_state import (
    ALIAS,
    FORWARD,
    INCLUDE,
    Parts,
    State,
    recipient_of,
)
from pillarbox.delivery.request import DeliverRecipients, Forwarding, JobRecipient, Outcome
from pillarbox.files.file_system import DISK
from pillarbox.routing.address_lookup import find_first
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.address import Address, external_form
from pillarbox.vocabulary.envelope import Notify, without_success

MAX_LEVEL: Final = 100
"""Aliases within aliases; more is a loop."""

_CONFIGURATION_ERROR: Final = "mail system configuration error"


class LocalExpansion:
    """One recipient of one message."""

    def __init__(
        self,
        means: Means,
        request: DeliverRecipients,
        descriptor: int,
        earlier: frozenset[bytes],
        *,
        is_report: bool = False,
    ) -> None:
        """`earlier` had the message before (earlier_recipients.py); `is_report`: delivery_reports.py."""
        self._means = means
        self._request = request
        self._descriptor = descriptor
        self._earlier = earlier
        self._is_report = is_report
        self._client = client_environment(request.attributes)
        self._offset = 0  # of the recipient's record
        self._to = b""  # the recipient
        self._seen: set[bytes] = set()
        self._attempts = Attempts(softly=means.soft_bounce and not request.trace_only)
        self._forwards = PendingForwards()

    async def deliver(self, recipient: JobRecipient) -> Outcome:
        """What became of the recipient."""
        self._offset = recipient.offset
        self._to = recipient.address
        state = self._first(recipient)
        await self._recipient(state)
        forwards = [] if self._attempts.has_to_wait else self._forwards.messages()
        if forwards and self._attempts.are_passed:
            return Outcome("sent", "2.0.0", "", attempts=self._attempts.made, forwards=forwards)
        await self._forward_all(state, forwards)
        return self._outcome()

    async def forward(self, recipient: JobRecipient, forwards: Sequence[Forwarding]) -> Outcome:
        """Queue the new messages that are left to do for it."""
        await self._forward_all(self._first(recipient), forwards)
        return self._outcome()

    def _first(self, recipient: JobRecipient) -> State:
        return State(
            address=recipient.address,
            original=recipient.original,
            sender=self._request.sender,
            notify=recipient.notify,
            dsn_original=recipient.dsn_original,
        )

    def _outcome(self) -> Outcome:
        if self._attempts.has_to_wait:
            return Outcome("deferred", "4.3.0", "", attempts=self._attempts.made)
        return Outcome("sent", "2.0.0", "", attempts=self._attempts.made)

    # -- one recipient ---------------------------------------------------------------------------------

    async def _recipient(self, state: State) -> None:
        state = state.deeper()
        if state.level > MAX_LEVEL + 10:  # a loop of aliases is found before
            self._means.warn(f"recipient nesting limit exceeded for {_shown(state.address)}")
            self._attempts.tell(state, "bounced", "5.4.6", "recipient nesting limit exceeded")
            return
        if self._is_repeated(b"recipient %d %s" % (state.level, state.address)):
            return
        if self._earlier and external_form(state.address).lower() in self._earlier:
            text = f"mail forwarding loop for {_shown(state.address)}"
            self._attempts.tell(state, "bounced", "5.4.6", text, to_owner=True)
            return
        if state.delivered is None:
            state = msgspec.structs.replace(state, delivered=state.address)
        parts = state.parts(
            self._means.delimiters, owner_request_special=self._means.settings.owner_request_special
        )
        if parts.illegal:
            local = state.address.lower().rpartition(b"@")[0]
            self._means.warn(f"{self._request.queue_id}: address with illegal extension: {_shown(local)}")
        if not parts.user:
            self._attempts.tell(state, "bounced", "5.1.3", f'null username in "{_shown(state.address)}"')
            return
        await self._switch(state, parts)

    async def _switch(self, state: State, parts: Parts) -> None:
        """An alias, somebody to forward to, or a user."""
        state = msgspec.structs.replace(state.deeper(), unmatched=None)
        if state.address.startswith(b"\\"):  # quoted: the mailbox, whatever aliases and .forward say
            state = msgspec.structs.replace(state, address=state.address[1:])
            parts = msgspec.structs.replace(parts, local=parts.local[1:], user=parts.user[1:])
            await self._user(state, parts, forward=False)
            return
        if await self._alias(state, parts, parts.local):
            return
        if parts.extension is not None:
            if ALIAS in self._means.propagate:
                state = msgspec.structs.replace(state, unmatched=parts.delimiter + parts.extension)
            if await self._alias(state, parts, parts.user):
                return
            state = msgspec.structs.replace(state, unmatched=parts.delimiter + parts.extension)
        is_others = state.owner is not None and state.owner.lower() != parts.user
        if is_others or state.source == INCLUDE:
            self._forward(state)
            return
        await self._user(state, parts)

    async def _alias(self, state: State, parts: Parts, name: bytes) -> bool:
        """Whether the name is an alias; if so, everything it lists has been delivered to."""
        state = state.deeper()
        if state.source_name is not None and state.source_name.lower() == name:
            return False  # an alias that lists itself means the user
        if state.level > MAX_LEVEL:
            self._means.warn(f"alias database loop for {_shown(name)}")
            self._attempts.tell(state, "bounced", "5.4.6", f"alias database loop for {_shown(name)}")
            return True
        try:
            found = find_alias(self._means, name)
            if found is None:
                return False
            value, account = found
            owner = owner_of_alias(self._means, name)
        except LookupFault as fault:
            self._means.warn(fault.reason)
            self._attempts.tell(state, "deferred", "4.3.0", "alias database unavailable")
            return True
        except UserFault as fault:
            self._means.warn(str(fault))
            self._attempts.tell(state, "deferred", "4.3.0", "cannot find alias database owner")
            return True
        if self._request.is_probe:
            self._attempts.tell(state, "sent", "2.0.0", f"aliased to {_shown(value)}")
            return True
        state = self._attempts.expanded(state, "delivered" if owner is not None else "expanded")
        state = msgspec.structs.replace(state, source_name=name, source=ALIAS, account=account)
        if owner is not None:
            state = msgspec.structs.replace(state, owner=owner, original=b"", dsn_original=b"")
            if not self._keeps_sender(owner):
                state = msgspec.structs.replace(state, sender=owner, owner_alias=True)
        elif self._means.settings.reset_owner_alias:
            state = msgspec.structs.replace(state, owner=None)
        if not self._means.settings.frozen_delivered_to:
            state = msgspec.structs.replace(state, delivered=state.address)
        listed = destinations(value)
        if not listed:
            self._means.warn(f"no recipient in alias lookup result for {_shown(name)}")
            self._attempts.tell(state, "deferred", "4.3.0", "alias database unavailable")
        for destination in listed:
            await self._destination(state, parts, destination)
        return True

    def _keeps_sender(self, owner: bytes) -> bool:
        """Whether nobody may hear what becomes of the message: it is a report, or has come back to the owner."""
        sender = self._request.sender
        if sender:
            return self._means.is_postmaster_sender(sender)
        return self._is_report or owner.lower() == self._to.lower()

    # -- what aliases and files list -------------------------------------------------------------------

    async def _destination(self, state: State, parts: Parts, text: bytes) -> None:
        if text.startswith(b"/"):
            if state.source not in self._means.settings.allow_mail_to_files:
                self._attempts.tell(state, "bounced", "5.7.1", "mail to file is restricted", to_owner=True)
                return
            await self._ask(state, parts, FileMail(text))
        elif text.startswith(b"~"):
            try:
                path = below_home(text, state.account.home if state.account is not None else b"")
            except NotRead as fault:
                self._not_read(state, fault)
                return
            await self._destination(state, parts, path)
        elif text.startswith(b"|"):
            if state.source not in self._means.settings.allow_mail_to_commands:
                self._attempts.tell(state, "bounced", "5.7.1", "mail to command is restricted", to_owner=True)
                return
            await self._ask(state, parts, CommandMail(text[1:]))
        elif text[:9].lower() == b":include:":
            await self._include(state, parts, text[9:])
        else:
            await self._address(state, text)

    async def _include(self, state: State, parts: Parts, path: bytes) -> None:
        """The lines of a file: read by its owner's agent, or, if it is root's, by ourselves."""
        state = state.deeper()
        shown = os.fsdecode(path)
        if state.level > MAX_LEVEL:
            self._means.warn(f":include: nesting limit exceeded for {shown}")
            self._attempts.tell(state, "bounced", "5.4.6", ":include: nesting limit exceeded")
            return
        if state.owner is None:
            state = msgspec.structs.replace(state, owner=state.address)
        state = msgspec.structs.replace(state, source_name=parts.local)
        if state.account is not None:
            await self._ask(state, parts, IncludeMail(path))
            return
        if self._is_repeated(b"include 0 %s" % path):
            return
        try:
            account, text = read_include(path, DISK)
        except IncludeFault as fault:
            for warning in fault.warnings:
                self._means.warn(warning)
            self._attempts.tell(state, fault.status, fault.dsn, _CONFIGURATION_ERROR)
            return
        if account is not None:
            await self._ask(msgspec.structs.replace(state, account=account), parts, IncludeMail(path))
            return
        state = msgspec.structs.replace(state, source=INCLUDE)
        if INCLUDE not in self._means.propagate:
            state = msgspec.structs.replace(state, unmatched=None)
        waiting = self._attempts.waiting
        for line in lines_of(text, self._means.line_limit):
            for destination in destinations(line):
                await self._destination(state, parts, destination)
            if self._attempts.waiting > waiting:  # of the file's own
                break

    def _not_read(self, state: State, fault: NotRead) -> None:
        self._means.warn(str(fault))
        self._attempts.tell(state, "bounced", "5.3.5", _CONFIGURATION_ERROR)

    async def _address(self, state: State, text: bytes) -> None:
        """An address that an alias or a file lists."""
        state = state.deeper()
        resolver = self._means.resolver
        if b"@" in text:
            text = text.rstrip()  # the line's end belongs to no domain, though quotes may hold it
        address = resolver.complete(Address.from_internal(text))
        try:
            resolution = resolver.resolve(address)
        except LookupFault as fault:
            for line in fault.lines:
                self._means.warn(line)
            self._attempts.tell(state, "deferred", "4.3.0", "address resolver failure")
            return
        address = resolution.recipient
        if not resolver.routes.syntax.is_valid(address):
            text = address.internal
            self._attempts.tell(state, "bounced", "5.1.3", f"bad recipient address syntax: {_shown(text)}")
            return
        if state.unmatched:
            address = Address(address.local_part + state.unmatched, address.domain)
        state = msgspec.structs.replace(state, address=address.internal)
        if resolution.transport == self._request.transport:
            await self._recipient(state)
        else:
            self._forward(state)

    # -- users -----------------------------------------------------------------------------------------

    async def _user(self, state: State, parts: Parts, *, forward: bool = True) -> None:
        settings, tables = self._means.settings, self._means.tables
        try:
            account = await self._means.find_user(parts.user)
            transport = self._look_up(tables.mailbox_transports, parts.user) or settings.mailbox_transport
            command = self._look_up(tables.mailbox_commands, parts.user) or os.fsencode(
                settings.mailbox_command
            ).decode("utf-8", "surrogateescape")
        except OSError as error:
            self._means.warn(f"error looking up passwd info for {_shown(parts.user)}: {error.strerror}")
            self._attempts.tell(state, "deferred", "4.0.0", "user lookup error")
            return
        except LookupFault as fault:
            self._means.warn(fault.reason)
            self._attempts.tell(state, "deferred", "4.3.0", "table lookup failure")
            return
        if account is not None:
            if not settings.frozen_delivered_to:
                state = msgspec.structs.replace(state, delivered=state.address)
            line = command.encode("utf-8", "surrogateescape")
            by_default = account.uid == 0 and bool(line)
            work = UserMail(
                forward=forward and bool(settings.forward_path),
                mailbox=not transport and not by_default,
                command=line,
            )
            as_user = msgspec.structs.replace(state, account=account, owner=parts.user, source=FORWARD)
            done = await self._ask(as_user, parts, work)
            if done.handled:
                return
            if by_default and not transport:
                if not self._is_repeated(b"mailbox %s" % parts.local):
                    await self._ask(self._not_as_root(as_user), parts, CommandMail(line))
                return
        if transport:
            if not self._is_repeated(b"mailbox %s" % parts.local):
                self._pass_on(state, transport)
            return
        await self._unknown(state, parts)

    async def _unknown(self, state: State, parts: Parts) -> None:
        if self._is_repeated(b"unknown %s" % parts.local):
            return
        settings, tables = self._means.settings, self._means.tables
        try:
            transport = self._look_up(tables.fallback_transports, parts.user) or settings.fallback_transport
        except LookupFault as fault:
            self._means.warn(fault.reason)
            self._attempts.tell(state, "deferred", "4.3.0", "table lookup failure")
            return
        user = _shown(parts.user)
        if transport:
            self._pass_on(state, transport)
        elif settings.luser_relay:
            await self._luser_relay(state, parts)
        elif parts.user in (b"postmaster", b"mailer-daemon"):
            self._means.warn(f"required alias not found: {user}")
            self._attempts.tell(state, "sent", "2.0.0", "discarded")
        else:
            self._attempts.tell(state, "bounced", "5.1.1", f'unknown user: "{user}"')

    async def _luser_relay(self, state: State, parts: Parts) -> None:
        """Who is to have it, unless that is who is unknown."""
        template = self._means.settings.luser_relay
        names = LocalNames.of(self._frame(state, parts, FileMail(b"")))
        try:
            address = expand_names(template, names, allowed=None).text
        except ExpansionError as error:
            self._means.warn(f"bad parameter value syntax for luser_relay: {error}")
            self._attempts.tell(state, "deferred", "4.3.5", _CONFIGURATION_ERROR)
            return
        relay = os.fsencode(address)
        if (
            self._means.resolver.complete(Address.from_internal(relay)).internal.lower()
            == state.address.lower()
        ):
            self._attempts.tell(state, "bounced", "5.1.1", f'unknown user: "{_shown(parts.user)}"')
            return
        await self._address(msgspec.structs.replace(state, unmatched=None), relay)

    def _look_up(self, tables: Sequence[LookupTable], user: bytes) -> str | None:
        return find_first(tables, user.decode("utf-8", "surrogateescape")) if tables else None

    # -- agents ----------------------------------------------------------------------------------------

    async def _ask(self, state: State, parts: Parts, work: Work) -> LocalJobDone:
        """Have an agent do it, then go on with the addresses that it found."""
        done = await self._means.agents.local(self._frame(state, parts, work), self._descriptor)
        self._seen.update(done.seen)
        for warning in done.warnings:
            self._means.warn(warning)
        waiting = self._attempts.waiting
        if done.forward_path:
            state = self._attempts.expanded(state, "expanded")
        for piece in done.pieces:
            self._attempts.tell(
                state,
                piece.status,
                piece.dsn,
                piece.text,
                to_owner=piece.to_owner,
                diagnostic=piece.diagnostic,
            )
        for found in done.addresses:
            if self._attempts.waiting > waiting:
                break
            source = INCLUDE if found.from_include else state.source
            listed = msgspec.structs.replace(state, source=source, source_name=parts.local)
            if not found.keep_extension:
                listed = msgspec.structs.replace(listed, unmatched=None)
            if found.address[:1] in (b"/", b"|"):
                await self._destination(self._not_as_root(listed), parts, found.address)
            else:
                await self._address(listed, found.address)
        if done.forward_path:
            self._seen.add(b"forward-done %s" % done.forward_path)
        return done

    def _not_as_root(self, state: State) -> State:
        """The same user, with the rights of default_privs."""
        default = self._means.default_account
        account = state.account or default
        return msgspec.structs.replace(
            state, account=msgspec.structs.replace(account, uid=default.uid, gid=default.gid)
        )

    def _frame(self, state: State, parts: Parts, work: Work) -> DeliverLocally:
        return DeliverLocally(
            job=0,
            data_offset=self._request.data_offset,
            recipient=recipient_of(state, parts),
            account=state.account or self._means.default_account,
            work=work,
            service=self._request.transport,
            client=self._client,
            seen=sorted(self._seen),
            trace_only=self._request.trace_only,
            is_probe=self._request.is_probe,
            offset=self._offset,
            is_noted=self._request.is_noted,
        )

    # -- results ---------------------------------------------------------------------------------------

    def _pass_on(self, state: State, route: str) -> None:
        """Another transport of the queue manager's delivers."""
        transport = route.partition(":")[0]
        address = state.address if self._means.shows_internal else external_form(state.address)
        shown = _shown(address)
        self._means.note(f"{self._request.queue_id}: passing <{shown}> to transport={transport}")
        self._attempts.tell(state, "passed", "2.0.0", route)

    def _forward(self, state: State) -> None:
        """The address gets a message of its own, together with others of the same sender."""
        if self._is_repeated(b"indirect %s" % state.address):
            return
        if self._request.trace_only:
            self._attempts.tell(state, "sent", "2.0.0", f"forwards to {_shown(state.address)}")
            return
        self._forwards.add(state)

    async def _forward_all(self, first: State, forwards: Sequence[Forwarding]) -> None:
        for forwarding in forwards:
            try:
                queue_id = await self._means.forwarder.forward(self._request, self._descriptor, forwarding)
            except ForwardFault as fault:
                self._means.warn(str(fault))
                self._attempts.tell(first, "deferred", "4.3.0", "unable to forward message")
                return
            # Of success an alias has told, or who delivers the new message will.
            silent = msgspec.structs.replace(first, notify=int(without_success(Notify(first.notify))))
            self._attempts.tell(silent, "sent", "2.0.0", f"forwarded as {queue_id}", action="relayed")

    def _is_repeated(self, what: bytes) -> bool:
        if what in self._seen:
            return True
        self._seen.add(what)
        return False


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "replace")
