"""The quotas of an account: whether something may be stored, what is used, and who is to be warned.

DESCRIPTION
    `AccountQuota` is shared by the sessions and deliveries of a process.  `check` is asked before messages are
    stored, `changed` told when files are in place or gone.  What is used is counted from the mailboxes
    themselves (back-end count, sizes with CRLF), or kept in maildirsize as well (back-end maildir).

    A mailbox's rule is added to the default one; while it says `ignore`, what is in the mailbox neither counts nor
    is refused.  A delivery may exceed the limit of octets once, by quota_grace.  A move from a mailbox that counts
    is not refused, whatever the other's rule: it needs no room.

    With the trash plugin, what does not fit makes room for itself at the cost of old messages in Trash and the like
    (mailstore/quota/trash.py).

    Of several warnings whose limit a change passes, the first is told.

FAULTS
    QuotaExceeded, MailTooLarge  nothing may be stored; `str()` is for the client
    OSError                      the files cannot be read or written

STANDARDS
    RFC 9208 (QUOTA); Dovecot 2.3, Quota
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from pillarbox.config.quota_settings import QuotaRoot, QuotaRule, QuotaSettings, QuotaWarning
from pillarbox.config.trash_settings import TrashFault
from pillarbox.files.directories import make_directories
from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.mailbox import MailTooLarge, QuotaExceeded, QuotaState
from pillarbox.mailstore.maildir.file_names import NameMaker
from pillarbox.mailstore.maildir.mailbox_tree import MailboxTree
from pillarbox.mailstore.quota.maildirsize import MaildirSize, Size, Usage
from pillarbox.mailstore.quota.trash import Trash
from pillarbox.mailstore.quota.usage import TreeUsage
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.wildcards import mask_pattern

UNLIMITED: Final = Usage()
OVER_FLAG_SECONDS: Final = 10.0
"""After that, what the userdb has said at login may have changed."""


class _Root:
    """One quota and where it is counted."""

    def __init__(self, settings: QuotaRoot, usage: TreeUsage, *, file: MaildirSize | None) -> None:
        self.settings = settings
        self.usage = usage
        self.file = file

    def rule(self, name: str) -> QuotaRule | None:
        """The rule of a mailbox."""
        return next((rule for rule in self.settings.rules if mask_pattern(rule.mask).fullmatch(name)), None)

    def counts(self, name: str) -> bool:
        """Whether what is in a mailbox counts."""
        rule = self.rule(name)
        return rule is None or not rule.ignore

    def limits_of(self, name: str, default: Usage) -> Usage:
        """What all may hold while something is put into this mailbox."""
        rule = self.rule(name)
        if default == UNLIMITED or rule is None:
            return default
        if rule.ignore:
            return UNLIMITED
        return Usage(
            max(0, default.octets + rule.octets.of(default.octets)),
            max(0, default.messages + rule.messages.of(default.messages)),
        )


class AccountQuota:
    """One account's."""

    def __init__(
        self,
        settings: QuotaSettings,
        tree: MailboxTree,
        *,
        files: FileSystem,
        clock: Clock,
        public_name: Callable[[str], str] = str,
        warn: Callable[[str], None] | None = None,
        trash_file: str = "",
        report: Callable[[str, str], None] | None = None,
    ) -> None:
        """`public_name` gives a mailbox's name as rules have it; `warn` takes a warning's command, in any
        thread; `trash_file` is trash.conf, and `report` is told severity and text of what it does, in any
        thread."""
        self.settings = settings
        self._clock = clock
        self._public_name = public_name
        self._warn = warn
        self._report = report
        self._trash = Trash(trash_file, tree, files=files, public_name=public_name) if trash_file else None
        self._names = NameMaker(clock)
        self._tree = tree
        self._files = files
        self._lock = threading.RLock()
        self._lazy_until = 0.0  # by the monotonic clock: so long the userdb's answer counts as fresh
        self._roots = [
            _Root(
                root,
                TreeUsage(tree, with_crlf=root.driver == "count", files=files, clock=clock),
                file=MaildirSize(tree.control, files) if root.driver == "maildir" else None,
            )
            for root in settings.roots
        ]

    # --- asking -------------------------------------------------------------------------------------

    @property
    def has_over_flags(self) -> bool:
        """Whether `session_begins` has something to look at."""
        return any(root.settings.over_flag is not None for root in self._roots)

    def session_begins(self) -> None:
        """Somebody is told if the userdb is wrong about who is over quota (quota_over_flag)."""
        with self._lock:
            self._lazy_until = self._clock.monotonic() + OVER_FLAG_SECONDS
            self._check_over_flags(lazy=False)

    def _check_over_flags(self, *, lazy: bool) -> None:
        for root in self._roots:
            over = root.settings.over_flag
            if over is None or over.is_lazy != lazy or self._warn is None:
                continue
            limits, usage = self._limits_and_usage(root)
            is_over = 0 < limits.octets <= usage.octets or 0 < limits.messages <= usage.messages
            if is_over != over.is_set:
                self._warn(over.command)

    def states(self) -> list[QuotaState]:
        """Every quota."""
        with self._lock:
            if self._clock.monotonic() < self._lazy_until:
                self._lazy_until = 0.0
                self._check_over_flags(lazy=True)
            found = []
            for root in self._roots:
                limits, usage = self._limits_and_usage(root)
                found.append(
                    QuotaState(
                        root.settings.name,
                        usage.octets,
                        limits.octets,
                        usage.messages,
                        limits.messages,
                        root.settings.is_hidden,
                    )
                )
            return found

    def check(
        self,
        mailbox: str,
        sizes: Sequence[Size],
        *,
        pending: Sequence[Size] = (),
        moved_from: str | None = None,
        is_delivery: bool = False,
        is_question: bool = False,
    ) -> None:
        """Whether these messages may be stored in a mailbox.  QuotaExceeded, MailTooLarge.

        `pending` are on their way to the account already; with `is_question` nothing will be stored, and nothing is
        removed from Trash.
        """
        largest = self.settings.max_mail_size
        if largest and moved_from is None and any(size.with_crlf > largest for size in sizes):
            raise MailTooLarge("Mail size is larger than the maximum size allowed by server configuration")
        name = self._public_name(mailbox)
        source = None if moved_from is None else self._public_name(moved_from)
        with self._lock:
            for root in self._roots:
                if not root.settings.is_enforced or not root.counts(name):
                    continue
                default = self._default_limits(root)
                limits = root.limits_of(name, default)
                if limits == UNLIMITED or (source is not None and root.counts(source)):
                    continue
                _, usage = self._limits_and_usage(root)
                usage += self._sum(root, pending)
                grace = root.settings.grace.of(limits.octets) if is_delivery else 0
                added = self._sum(root, sizes)
                if _fits(usage, added, limits, grace):
                    continue
                if not self._makes_room(root, _excess(usage, added, limits, grace), is_question=is_question):
                    raise QuotaExceeded(self.settings.exceeded_message)

    def counts(self) -> bool:
        """Whether sizes of messages matter to anybody here."""
        return bool(self._roots) or self.settings.max_mail_size > 0

    # --- telling ------------------------------------------------------------------------------------

    def changed(self, mailbox: str, sizes: Sequence[Size], *, came: bool) -> None:
        """Messages have been stored in a mailbox, or are gone from it."""
        if sizes:
            self._note([(mailbox, sizes)], came=came)

    def delivered(self, stored: Sequence[tuple[str, Size]]) -> None:
        """Messages have been stored in mailboxes at once, but are as if one came after the other."""
        self._note([(mailbox, [size]) for mailbox, size in stored], came=True)

    def _note(self, changes: Sequence[tuple[str, Sequence[Size]]], *, came: bool) -> None:
        with self._lock:
            for root in self._roots:
                counting: list[Usage] = []
                for mailbox, sizes in changes:
                    delta = self._sum(root, sizes)
                    delta = delta if came else Usage() - delta
                    root.usage.note(mailbox, delta)
                    if root.counts(self._public_name(mailbox)):
                        counting.append(delta)
                if root.file is not None:
                    for delta in counting:
                        self._update_file(root, delta)
                self._warn_of(root, counting)

    def mailboxes_changed(self) -> None:
        """Mailboxes have been made, renamed or deleted."""
        for root in self._roots:
            root.usage.forget()

    def recalculate(self) -> None:
        """Count anew, whatever is written (doveadm quota recalc)."""
        with self._lock:
            for root in self._roots:
                root.usage.forget()
                if root.file is not None:
                    self._count_into_file(root, self._default_limits(root))

    # --- inside -------------------------------------------------------------------------------------

    def _makes_room(self, root: _Root, excess: Usage, *, is_question: bool) -> bool:
        """Remove messages from Trash and the like; or, as a question, whether that would do."""
        if self._trash is None:
            return False
        try:
            chosen = self._trash.enough(
                excess, counts=root.counts, octets=lambda size: self._sum(root, [size]).octets
            )
        except TrashFault as fault:
            self._tell("Error", f"trash plugin: {fault}")
            return False
        if not chosen or is_question:
            return bool(chosen)
        gone: dict[str, list[Size]] = {}
        for one in self._trash.remove(chosen):
            gone.setdefault(one.mailbox, []).append(one.size)
        for mailbox, sizes in gone.items():
            self.changed(mailbox, sizes, came=False)
            self._tell(
                "Info", f"trash plugin: {len(sizes)} messages removed from {self._public_name(mailbox)}"
            )
        return True

    def _tell(self, severity: str, text: str) -> None:
        if self._report is not None:
            self._report(severity, text)

    def _sum(self, root: _Root, sizes: Sequence[Size]) -> Usage:
        with_crlf = root.file is None or self.settings.counts_crlf
        octets = sum(size.with_crlf if with_crlf else size.stored for size in sizes)
        return Usage(octets, len(sizes))

    def _default_limits(self, root: _Root) -> Usage:
        """The default rule, or what maildirsize says if there is none."""
        own = Usage(root.settings.octets, root.settings.messages)
        if root.file is None or root.settings.is_forced:
            return own
        found = root.file.read(self._clock.now(), None)
        return own if found is None else found.limits

    def _limits_and_usage(self, root: _Root) -> tuple[Usage, Usage]:
        limits = self._default_limits(root)
        if root.settings.ignores_unlimited and limits == UNLIMITED:
            return limits, Usage()
        if root.file is None:
            return limits, root.usage.total(lambda name: root.counts(self._public_name(name)))
        found = root.file.read(self._clock.now(), limits if root.settings.is_forced else None)
        if found is not None and found.usage is not None:
            return limits, found.usage
        if limits == UNLIMITED and not root.settings.is_forced:
            return limits, root.usage.total(lambda name: root.counts(self._public_name(name)))  # and no file
        return limits, self._count_into_file(root, limits)

    def _count_into_file(self, root: _Root, limits: Usage) -> Usage:
        root.usage.forget()
        usage = root.usage.total(lambda name: root.counts(self._public_name(name)))
        if root.file is not None:
            make_directories(self._tree.control, self._files)
            root.file.write(limits, usage, temporary=self._names.take())
        return usage

    def _update_file(self, root: _Root, delta: Usage) -> None:
        """One line more, or a new file that has it already."""
        assert root.file is not None
        limits = self._default_limits(root)
        found = root.file.read(self._clock.now(), limits if root.settings.is_forced else None)
        if found is None and limits == UNLIMITED and not root.settings.is_forced:
            return
        if found is None or found.usage is None:
            self._count_into_file(root, limits)
        else:
            root.file.append(delta)

    def _warn_of(self, root: _Root, deltas: Sequence[Usage]) -> None:
        """Of each change that passes a limit; all of them are in what is used by now."""
        if self._warn is None or not root.settings.warnings or not deltas:
            return
        limits, usage = self._limits_and_usage(root)
        for delta in deltas:
            usage -= delta
        for delta in deltas:
            before, usage = usage, usage + delta
            passed = (one for one in root.settings.warnings if _passes(one, before, usage, limits))
            if (warning := next(passed, None)) is not None:
                self._warn(warning.command)


class FolderQuota:
    """The quotas of an account, as one mailbox's files are changed."""

    def __init__(self, account: AccountQuota, mailbox: str) -> None:
        self._account = account
        self.mailbox = mailbox

    def check(self, sizes: Sequence[Size], *, moved_from: "FolderQuota | None" = None) -> None:
        """Whether they may come.  QuotaExceeded, MailTooLarge."""
        self._account.check(
            self.mailbox, sizes, moved_from=None if moved_from is None else moved_from.mailbox
        )

    def came(self, sizes: Sequence[Size]) -> None:
        """They are there."""
        self._account.changed(self.mailbox, sizes, came=True)

    def went(self, sizes: Sequence[Size]) -> None:
        """They are gone."""
        self._account.changed(self.mailbox, sizes, came=False)


def _fits(usage: Usage, added: Usage, limits: Usage, grace: int) -> bool:
    after = usage + added
    if 0 < limits.messages < after.messages:
        return False
    if not limits.octets or after.octets <= limits.octets:
        return True
    return grace > 0 and usage.octets <= limits.octets and after.octets <= limits.octets + grace


def _excess(usage: Usage, added: Usage, limits: Usage, grace: int) -> Usage:
    """What has to go until they fit."""
    after = usage + added
    octets = max(after.octets - limits.octets - grace, usage.octets - limits.octets if grace else 0)
    return Usage(
        max(0, octets) if limits.octets else 0,
        max(0, after.messages - limits.messages) if limits.messages else 0,
    )


def _passes(warning: QuotaWarning, before: Usage, after: Usage, limits: Usage) -> bool:
    if warning.is_under:
        before, after = after, before
    return any(
        0 < limit and low < limit <= high
        for limit, low, high in (
            (warning.octets.of(limits.octets), before.octets, after.octets),
            (warning.messages.of(limits.messages), before.messages, after.messages),
        )
    )
