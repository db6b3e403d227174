"""Messages that come by LMTP, on their way into the mailboxes of a worker's accounts.

DESCRIPTION
    All messages that have come in one turn of the loop are stored together, by `mailstore.deliver` in a worker
    thread; while they are, the next ones gather.  When none waits, what was stored is noted for the
    sessions that will read it (mailstore/cache/arrivals.py).  A message that names a mailbox by its detail
    (user+mailbox) goes there if lmtp_save_to_detail_mailbox says so and the user may post there, otherwise into
    INBOX.

FAULTS
    Every message gets a reply: 452 or 552 for a mailbox without room, 451 for what went wrong here, or if a user's
    quota makes no sense.
"""

import asyncio
import functools
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

import msgspec

from pillarbox.config.dovecot.mail_location import place_of
from pillarbox.config.mailbox_settings import MailboxSettings, Storage
from pillarbox.daemons.account_namespaces import AccountNamespaces, SessionUser
from pillarbox.daemons.account_quotas import AccountQuotas
from pillarbox.daemons.delivery_events import DeliveryTold, header_of
from pillarbox.daemons.delivery_expunging import DeliveryExpunging
from pillarbox.daemons.delivery_mailboxes import DeliveryMailbox, Unreachable, delivery_mailbox
from pillarbox.daemons.last_logins import note_login
from pillarbox.files.file_system import DISK
from pillarbox.mailstore.cache.arrivals import ArrivalNotes
from pillarbox.mailstore.content.file_content import packed_content
from pillarbox.mailstore.content.large_content import BLOCK
from pillarbox.mailstore.content.spool import SpoolFile
from pillarbox.mailstore.deliver import Delivery, Result, Stored, Written, deliver_batch, make_maildir
from pillarbox.mailstore.mailbox import MailTooLarge, OverQuota, QuotaExceeded, StoreUnavailable
from pillarbox.mailstore.maildir.file_names import NameMaker
from pillarbox.mailstore.quota.maildirsize import Size
from pillarbox.mailstore.quota.quotas import AccountQuota
from pillarbox.message.line_ends import crlf_size
from pillarbox.net.handover import Delivered, Letter
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import Event, EventSink, MailboxNotice, MailUser
from pillarbox.observability.mistakes import mistakes
from pillarbox.sessions.mail_log import MailLog
from pillarbox.vocabulary.faults import ConfigurationFault

_MOST_AT_ONCE: Final = 64
_INTERNAL: Final = b"451 4.3.0 Temporary internal error"


class _Sorted(msgspec.Struct):
    """A letter with its content and where it goes."""

    letter: Letter
    mailbox: DeliveryMailbox
    delivery: Delivery
    quota: AccountQuota | None = None
    size: Size | None = None


class LetterBox:
    """One worker's."""

    def __init__(
        self,
        settings: MailboxSettings,
        answer: Callable[[Delivered], None],
        *,
        tell: EventSink,
        executor: Executor,
        tasks: asyncio.TaskGroup,
        quotas: AccountQuotas,
        service: str = "lmtp",
    ) -> None:
        """`service` is who delivers, for the log."""
        self._service = service
        self._settings = settings
        self._quotas = quotas
        self._answer = answer
        self._tell = tell
        self._executor = executor
        self._tasks = tasks
        self._waiting: list[tuple[Letter, int]] = []
        self._busy = False
        self._notes = ArrivalNotes()
        self._names = NameMaker(SystemClock())
        self._expunging = DeliveryExpunging(settings, executor=executor, clock=SystemClock())
        self._namespaces = AccountNamespaces(settings, executor=executor, inotify=None, tasks=tasks)
        self._began = 0.0  # the storing of a batch, on the monotonic clock
        self._found: list[MailboxNotice] = []  # by the thread that stores, besides what became of each letter

    def take(self, letter: Letter, descriptor: int) -> None:
        """A message has come, or one is announced; the descriptor is ours now."""
        if letter.only_asks:
            os.close(descriptor)
            self._tasks.create_task(self._tell_room(letter))
            return
        self._waiting.append((letter, descriptor))
        if not self._busy:
            self._busy = True
            self._tasks.create_task(self._work())

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)  # what else comes in this turn goes along
        while self._waiting:
            coming = self._waiting[:_MOST_AT_ONCE]
            del self._waiting[:_MOST_AT_ONCE]
            limited = [both for one in coming if (both := self._with_quota(*one)) is not None]
            batch = [(letter, descriptor) for letter, descriptor, _ in limited]
            quotas = [quota for _, _, quota in limited]
            if not batch:
                continue
            try:
                done = await loop.run_in_executor(self._executor, self._store, batch, quotas)
            except Exception as error:  # these letters' bug must not end the worker's sessions
                notice = self._notice(batch[0][0], "Fatal", "; ".join(mistakes(error)))
                done = [(Delivered(letter.number, _INTERNAL), notice) for letter, _ in batch]
            found, self._found = self._found, []
            for notice in found:
                self._tell(notice)
            for delivered, notice in done:
                self._tell(notice)
                self._answer(delivered)
            for (letter, _), quota in zip(batch, quotas, strict=True):
                self._expunge_soon(letter, quota)
            while self._notes.waiting and not self._waiting:
                await loop.run_in_executor(self._executor, self._notes.write_one)
        self._busy = False

    async def _tell_room(self, letter: Letter) -> None:
        """lmtp_rcpt_check_quota and quota-status: whether another message of that size fits into INBOX."""
        reply = b"250 2.1.5 OK"
        size = Size(letter.asked_size, letter.asked_size)
        try:
            quota = self._quota_of(letter)
            if quota is not None:
                check = functools.partial(quota.check, "INBOX", [size], is_delivery=True, is_question=True)
                await asyncio.get_running_loop().run_in_executor(self._executor, check)
        except QuotaExceeded as fault:
            reply = self._over_quota(str(fault))
        except MailTooLarge as fault:
            reply = b"552 5.2.3 " + str(fault).encode("utf-8", "replace")
        except ConfigurationFault as fault:
            self._tell(self._notice(letter, "Error", str(fault)))
            reply = _INTERNAL
        except OSError as error:
            self._tell(self._notice(letter, "Error", f"quota: {error}"))
            reply = _INTERNAL
        self._answer(Delivered(letter.number, reply))

    def _over_quota(self, why: str) -> bytes:
        status = b"452 4.2.2" if self._settings.quota_full_tempfail else b"552 5.2.2"
        return status + b" " + why.encode("utf-8", "replace")

    def _expunge_soon(self, letter: Letter, quota: AccountQuota | None) -> None:
        """autoexpunge, when the deliverer has its answer."""
        try:
            place = self._place_of(letter)
        except ConfigurationFault:
            return  # it has been told
        if self._expunging.is_due(place):
            self._tasks.create_task(self._expunge(letter, place, quota))

    async def _expunge(self, letter: Letter, place: Storage, quota: AccountQuota | None) -> None:
        try:
            await self._expunging.expunge(
                place,
                quota,
                self._mail_log(letter, self._tell).autoexpunge,
                prepare=lambda account: self._namespaces.keep_expunged(
                    account, SessionUser(letter.user, letter.home, place), letter.fields
                ),
            )
        except (StoreUnavailable, ConfigurationFault, OSError) as fault:
            self._tell(self._notice(letter, "Error", f"autoexpunge: {fault}"))

    def _with_quota(self, letter: Letter, descriptor: int) -> tuple[Letter, int, AccountQuota | None] | None:
        """Both, and whom to ask for room; None if that makes no sense, and the letter has been answered."""
        try:
            return letter, descriptor, self._quota_of(letter)
        except ConfigurationFault as fault:
            os.close(descriptor)
            self._tell(self._notice(letter, "Error", str(fault)))
            self._answer(Delivered(letter.number, _INTERNAL))
            return None

    def _quota_of(self, letter: Letter) -> AccountQuota | None:
        """Whom to ask for room.  ConfigurationFault: the user's rules, or where the mail is, make no sense."""
        if not self._settings.has_plugin("quota", "quota-status" if letter.only_asks else "lmtp", "lmtp"):
            return None
        return self._quotas.of(letter.user, letter.home, self._place_of(letter), letter.fields)

    def _place_of(self, letter: Letter) -> Storage:
        return place_of(
            self._settings.storage, letter.mail, user=letter.user, home=letter.home, fields=letter.fields
        )

    def _store(
        self, batch: list[tuple[Letter, int]], quotas: list[AccountQuota | None]
    ) -> list[tuple[Delivered, MailboxNotice]]:
        """Store all of them; in a thread."""
        done: list[tuple[Delivered, MailboxNotice]] = []
        self._began = time.monotonic()
        sorted_letters: list[_Sorted] = []
        pending: dict[AccountQuota, list[Size]] = {}
        for (letter, descriptor), quota in zip(batch, quotas, strict=True):
            try:
                one = self._sort(letter, descriptor)
                if quota is not None and one.mailbox.is_own:
                    one.quota, one.size = quota, _size_of(one.delivery)
                    if quota.has_over_flags:
                        quota.session_begins()
                    coming = pending.setdefault(quota, [])
                    quota.check(one.mailbox.name, [one.size], pending=coming, is_delivery=True)
                    coming.append(one.size)
                sorted_letters.append(one)
            except (QuotaExceeded, MailTooLarge) as fault:
                done.append(self._told(one, fault))
                if one.delivery.written is not None:
                    os.unlink(one.delivery.written.path)
            except (ConfigurationFault, OSError) as fault:
                done.append((Delivered(letter.number, _INTERNAL), self._notice(letter, "Error", str(fault))))
            finally:
                os.close(descriptor)
        deliveries = [one.delivery for one in sorted_letters]
        results = deliver_batch(deliveries)
        self._notes.remember(deliveries, results)
        came: dict[AccountQuota, list[tuple[str, Size]]] = {}
        for one, result in zip(sorted_letters, results, strict=True):
            self._note_login(one.letter)
            if isinstance(result, Stored) and one.quota is not None and one.size is not None:
                came.setdefault(one.quota, []).append((one.mailbox.name, one.size))
        for quota, stored in came.items():
            try:
                quota.delivered(stored)
            except OSError as error:  # the messages are there: what they add is counted next time
                first = next(one.letter for one in sorted_letters if one.quota is quota)
                self._tell(self._notice(first, "Error", f"quota: {error}"))
        done += [self._told(one, result) for one, result in zip(sorted_letters, results, strict=True)]
        return done

    def _note_login(self, letter: Letter) -> None:
        if self._settings.has_plugin("last_login", "lmtp"):
            who = MailUser(self._service, letter.user, letter.session, fields=letter.fields)
            note_login(self._settings.plugin, who, letter.home, self._found_fault)

    def _found_fault(self, event: Event) -> None:
        if isinstance(event, MailboxNotice):
            self._found.append(event)

    def _sort(self, letter: Letter, descriptor: int) -> _Sorted:
        place = self._place_of(letter)
        size = os.fstat(descriptor).st_size
        content = b"" if letter.head else os.pread(descriptor, size, 0)
        mailbox = DeliveryMailbox("INBOX", place.path)
        if letter.detail and self._settings.lmtp_save_to_detail_mailbox:
            try:
                mailbox = delivery_mailbox(self._settings, letter, place)
            except Unreachable as fault:
                told = DeliveryTold(self._settings.deliver_log_format, letter, letter.head or content)
                text = told.text(f"save failed to open mailbox {letter.detail}: {fault}")
                self._found.append(self._notice(letter, "Info", text))
        if letter.head:
            return self._sort_large(letter, mailbox, descriptor)
        packing = self._settings.packing
        packed = None if packing is None else packed_content(content, *packing)
        return _Sorted(letter, mailbox, Delivery(mailbox.maildir, (content,), packed=packed))

    def _sort_large(self, letter: Letter, mailbox: DeliveryMailbox, descriptor: int) -> _Sorted:
        """A message in a file is copied into the mailbox's tmp/.  OSError."""
        maildir = mailbox.maildir
        make_maildir(maildir)
        spool = SpoolFile(
            os.fsencode(maildir),
            self._names.take(),
            files=DISK,
            executor=None,
            packing=self._settings.packing,
        )
        try:
            spool.write(letter.head)
            at = 0
            while block := os.pread(descriptor, BLOCK, at):
                spool.write(block)
                at += len(block)
            spool.end()
        except OSError:
            spool.remove()
            raise
        if spool.fault is not None:
            spool.remove()
            raise OSError(str(spool.fault)) from spool.fault
        written = Written(spool.path, spool.size, spool.crlf_size)
        beginning = letter.head + os.pread(descriptor, BLOCK, 0)
        return _Sorted(letter, mailbox, Delivery(maildir, (beginning,), written=written))

    def _told(
        self, one: _Sorted, result: Result | QuotaExceeded | MailTooLarge
    ) -> tuple[Delivered, MailboxNotice]:
        letter = one.letter
        told = DeliveryTold(self._settings.deliver_log_format, letter, one.delivery.content[0], self._began)
        if isinstance(result, Stored):
            self._log_delivery(one, result)
            text = told.text(f"saved mail to {one.mailbox.name}", result)
            return Delivered(letter.number, b"250 2.0.0 Saved"), self._notice(letter, "Info", text)
        if isinstance(result, OverQuota):
            known = isinstance(result, QuotaExceeded | MailTooLarge)
            why = str(result) if known else "Quota exceeded (mailbox for user is full)"
            reply = self._over_quota(why)
            text = f"save failed to {one.mailbox.name}: {why if known else f'Quota exceeded ({result})'}"
            return Delivered(letter.number, reply), self._notice(letter, "Info", told.text(text))
        text = f"save failed to {one.mailbox.name}: {result}"
        return Delivered(letter.number, _INTERNAL), self._notice(letter, "Error", told.text(text))

    def _mail_log(self, letter: Letter, tell: Callable[[MailboxNotice], None]) -> MailLog:
        settings = self._settings.mail_log_of("lmtp")
        return MailLog(settings, lambda text: tell(self._notice(letter, "Info", text)))

    def _log_delivery(self, one: _Sorted, result: Stored) -> None:
        """mail_log."""
        log = self._mail_log(one.letter, self._found.append)
        log.tell_delivery(one.mailbox.name, header_of(one.delivery.content[0]), result.size, result.crlf_size)

    def _notice(self, letter: Letter, severity: str, text: str) -> MailboxNotice:
        return MailboxNotice(
            MailUser(self._service, letter.user, letter.session, fields=letter.fields), severity, text
        )


def _size_of(delivery: Delivery) -> Size:
    if delivery.written is not None:
        return Size(delivery.written.size, delivery.written.crlf_size)
    content = delivery.content[0]
    return Size(len(content), crlf_size(content))
