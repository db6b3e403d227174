"""dovecot-lda(1): a message on standard input goes into a mailbox, for mailbox_command, .forward and pipe(8).

    dovecot-lda [-ek] [-c FILE] [-d USER] [-m MAILBOX] [-p FILE] [-f SENDER] [-a ADDRESS] [-r ADDRESS]
                [-o SETTING=VALUE]...

    -d  the user that the userdb knows; without it, whoever runs the command
    -m  a mailbox, made if lda_mailbox_autocreate says so; where there is none, the message goes to INBOX
    -p  the message's file, in the place of standard input
    -e  what is refused (a full quota) is told on standard error, and the MTA tells the sender; without it the
        sender is told at once, by sendmail_path, and the message is done with
    -f  the sender, and -a whom the message is for, in that report and in the log; by themselves those of
        Return-Path and lda_original_recipient_header
    -r and -k change nothing: the address is for Sieve, and the environment is not looked at

DESCRIPTION
    The message is stored with the rights of the mailbox's owner, by the function that stores LMTP's.  A large one
    waits in a file of mail_temp_dir without a name, and is never in memory as a whole.  What happened is told in
    Dovecot's log, or on standard error if the user may not write there.

EXIT STATUS
    0 stored, or refused and told; 64 wrong use; 67 no such user; 75 not now, the MTA tries again; 77 refused
"""

import asyncio
import getopt
import os
import secrets
import shutil
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import BinaryIO, Final

import msgspec

from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.host_facts import host_facts
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.daemons.account_quotas import AccountQuotas
from pillarbox.daemons.delivery_events import DeliveryTold, header_of
from pillarbox.daemons.letter_box import LetterBox
from pillarbox.mailstore.content.large_content import BLOCK
from pillarbox.mailstore.mailbox import SPOOL_AT
from pillarbox.message.header_fields import first_value
from pillarbox.net.handover import Delivered, Envelope, Letter
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import Event, EventSink, MailboxNotice, MailUser
from pillarbox.observability.log_file import LogFile
from pillarbox.observability.mailbox_lines import mailbox_line
from pillarbox.supervisor.dovecot_master import log_target
from pillarbox.tools import run_command, works_unread
from pillarbox.tools.default_paths import DOVECOT_CONF
from pillarbox.tools.doveadm_commands.accounts import MailCommand, Owner
from pillarbox.tools.doveadm_commands.faults import EX_NOPERM, EX_TEMPFAIL, EX_USAGE, Fatal, MailFault, Usage
from pillarbox.tools.lda_rejection import Rejecting, RejectionFailed, address_of, sender_of
from pillarbox.tools.overridden_configuration import read_overridden
from pillarbox.vocabulary.faults import ConfigurationFault

_USAGE: Final = """\
Usage: dovecot-lda [-c <config file>] [-d <username>] [-p <path>]
                   [-m <mailbox>] [-e] [-k] [-f <envelope sender>]
                   [-a <original envelope recipient>]
                   [-r <final envelope recipient>] 
"""  # noqa: W291 - as Dovecot's ends


@works_unread
def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        pairs, words = getopt.getopt(given, "a:c:d:ef:km:o:p:r:")
    except getopt.GetoptError as error:
        sys.stdout.write(_USAGE)
        known = "requires argument" in error.msg
        text = "option requires an argument" if known else "invalid option"
        sys.stderr.write(f"dovecot-lda: {text} -- '{error.opt}'\n")
        return EX_USAGE
    if words:
        sys.stdout.write(_USAGE)
        sys.stderr.write(f"lda: Fatal: Unknown argument: {words[0]}\n")
        return EX_USAGE
    options = dict(pairs)
    if "-d" not in options and os.geteuid() == 0:
        sys.stderr.write("lda: Fatal: destination user parameter (-d user) not given\n")
        return EX_USAGE
    try:
        path = options.get("-c", DOVECOT_CONF)
        configuration = read_overridden(path, [value for flag, value in pairs if flag == "-o"])
        return _deliver(configuration, options)
    except (ConfigurationFault, Fatal, Usage) as fault:
        sys.stderr.write(f"lda: Fatal: {fault}\n")
        return EX_TEMPFAIL
    except MailFault as fault:
        sys.stderr.write(f"lda({fault.user}): Error: {fault}\n")
        return fault.status


def _deliver(configuration: Configuration, options: dict[str, str]) -> int:
    within = configuration.for_protocol("lda")
    settings = msgspec.structs.replace(
        mailbox_settings(configuration, hostname="localhost"),
        mail_plugins={"lmtp": within.words("mail_plugins")},
        lmtp_save_to_detail_mailbox=True,
        lda_mailbox_autocreate=within.yes("lda_mailbox_autocreate"),
        lda_mailbox_autosubscribe=within.yes("lda_mailbox_autosubscribe"),
        quota_full_tempfail=within.yes("quota_full_tempfail"),
        deliver_log_format=within.value("deliver_log_format"),
    )
    tell = _log(settings)
    whose = ["-u", options["-d"]] if "-d" in options else []
    command = MailCommand(configuration, "", "lda", "", whose)
    (user,) = command.users()
    owner = Owner.find(command, user)
    message = _message(options.get("-p", ""), settings.mail_temp_dir)
    owner.become()
    session = b64encode(secrets.token_bytes(12)).decode("ascii")
    header = message.header()
    hostname = within.value("hostname") or host_facts().hostname
    sender = options["-f"].strip("<>") if "-f" in options else sender_of(header)
    recipient = (
        options.get("-a", "").strip("<>") or _recipient(within, header) or _address(owner.user, hostname)
    )
    envelope = Envelope(sender, recipient, time.monotonic())
    lda = _Lda(command, settings, owner, session, tell)
    status = asyncio.run(lda.store(message, options.get("-m", ""), envelope))
    if status != EX_NOPERM:
        return status
    lda.tell_rejection(header, envelope, f"rejected: {lda.refusal}")
    if "-e" in options:
        sys.stderr.write(f"{lda.refusal}\n")
        return status
    return lda.reject(Rejecting.of(within, owner.user, hostname), header, envelope)


def _recipient(configuration: Configuration, header: bytes) -> str:
    """Whom lda_original_recipient_header names."""
    name = configuration.value("lda_original_recipient_header")
    return address_of(first_value(header, name.encode("utf-8")) or b"") if name else ""


def _address(user: str, hostname: str) -> str:
    return user if "@" in user else f"{user}@{hostname}"


def _log(settings: MailboxSettings) -> EventSink:
    """Dovecot's log; standard error for who may not write there."""
    try:
        target = log_target(settings)
    except (ConfigurationFault, OSError):
        return _tell_standard_error
    return LogFile(*target.descriptors, program="dovecot", clock=SystemClock(), form=target.form)


def _tell_standard_error(event: Event) -> None:
    if isinstance(event, MailboxNotice) and event.severity != "Info":
        sys.stderr.write(f"{mailbox_line(event)}\n")


class _Message(msgspec.Struct, frozen=True):
    """What is delivered: the octets of `file`, `head` before them if it is large."""

    head: bytes
    file: BinaryIO

    def header(self) -> bytes:
        """Its fields."""
        content = self.head or os.pread(self.file.fileno(), BLOCK, 0)
        return header_of(content.replace(b"\r\n", b"\n"))


def _message(path: str, directory: str) -> _Message:
    """The message of standard input or of a file, without the line that separates messages in an mbox.

    Fatal, if there is no such file; a large one is copied into a file in `directory`.
    """
    try:
        with open(path, "rb") if path else nullcontext(sys.stdin.buffer) as source:
            start = source.read(SPOOL_AT)
            is_large = len(start) == SPOOL_AT
            if start.startswith(b"From "):
                start = start.partition(b"\n")[2]
            if not is_large:
                file = os.fdopen(os.memfd_create("message", os.MFD_CLOEXEC), "w+b")
                file.write(start.replace(b"\r\n", b"\n"))
                file.flush()
                return _Message(b"", file)
            spool = tempfile.TemporaryFile(dir=directory)
            shutil.copyfileobj(source, spool, BLOCK)
            spool.flush()
            return _Message(start, spool)
    except OSError as error:
        if path:
            raise Fatal(f"Can't open delivery mail as raw: open({path}) failed: {error.strerror}") from error
        raise Fatal(f"Can't read delivery mail: {error.strerror}") from error


class _Lda:
    """One delivery."""

    def __init__(
        self, command: MailCommand, settings: MailboxSettings, owner: Owner, session: str, tell: EventSink
    ) -> None:
        self._command = command
        self._settings = settings
        self._owner = owner
        self._session = session
        self._tell = tell
        self._answer: Delivered | None = None

    async def store(self, message: _Message, mailbox: str, envelope: Envelope) -> int:
        """The exit status."""
        owner = self._owner
        home, mail = owner.fields.get("home", ""), owner.fields.get("mail", "")
        fields = dict(owner.fields)
        letter = Letter(
            1, owner.user, home, mail, mailbox, self._session, fields, message.head, envelope=envelope
        )
        with ThreadPoolExecutor(1) as threads:
            async with asyncio.TaskGroup() as tasks:
                quotas = AccountQuotas(self._settings, tell=self._tell, tasks=tasks)
                box = LetterBox(
                    self._settings,
                    self._take,
                    tell=self._tell,
                    executor=threads,
                    tasks=tasks,
                    quotas=quotas,
                    service="lda",
                )
                box.take(letter, os.dup(message.file.fileno()))
        if self._answer is None or self._answer.reply.startswith(b"4"):
            return EX_TEMPFAIL
        if self._answer.reply.startswith(b"2"):
            return 0
        return EX_NOPERM

    @property
    def refusal(self) -> str:
        """Why the message was refused."""
        return "" if self._answer is None else self._answer.reply[10:].decode("utf-8", "replace")

    def tell_rejection(self, header: bytes, envelope: Envelope, text: str, severity: str = "Info") -> None:
        """A line of the log about a message that was refused."""
        who = MailUser("lda", self._owner.user, self._session)
        letter = Letter(1, self._owner.user, "", "", "", self._session, envelope=envelope)
        told = DeliveryTold(self._settings.deliver_log_format, letter, header)
        self._tell(MailboxNotice(who, severity, told.text(text)))

    def reject(self, rejecting: Rejecting, header: bytes, envelope: Envelope) -> int:
        """Tell the sender; the exit status."""
        if not envelope.sender:
            self.tell_rejection(header, envelope, f"Return-Path missing, rejection reason: {self.refusal}")
            return 0
        if (first_value(header, b"auto-submitted") or b"no").strip().lower() != b"no":
            self.tell_rejection(header, envelope, f"Auto-submitted message discarded: {self.refusal}")
            return 0
        try:
            rejecting.send(header, sender=envelope.sender, recipient=envelope.recipient, reason=self.refusal)
        except RejectionFailed as fault:
            text = f"Temporarily failed to send rejection: {fault}"
            self.tell_rejection(header, envelope, text, "Error")
            return EX_TEMPFAIL
        return 0

    def _take(self, delivered: Delivered) -> None:
        self._answer = delivered


if __name__ == "__main__":
    run_command(main)
