"""smtpd restriction lists: who may do what, decided word by word.

DESCRIPTION
    A list such as smtpd_relay_restrictions is read once, at start (`Compiler.compile`), into functions; a word
    that is not served is refused there, with file and line, because to skip it could let somebody in.
    `evaluate()` asks one after the other until one permits or refuses.

    Each list has a subject (client, helo, sender, recipient …), which generic words such as reject refer to.
    Words with an argument (check_sender_access type:table, reject_rbl_client zone, sleep 5) take the next word;
    a table alone is check_SUBJECT_access.  Names in smtpd_restriction_classes stand for the list that the
    parameter of that name holds.

FAULTS
    ConfigurationFault  at start: an unknown or unserved restriction; not under `unavailable_tables()`
    LookupFault         a table cannot answer: the caller replies 451 4.3.0
    A table's result that makes no sense is a warning, and 451 4.3.5 for the client.

STANDARDS
    SMTPD_ACCESS_README; postconf(5), smtpd_*_restrictions
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from pillarbox.access import address_checks, block_lists, client_checks, server_tables
from pillarbox.access.access_tables import (
    AccessKeys,
    AccessResults,
    BadResult,
    check_access,
    find,
    table_failed,
)
from pillarbox.access.permit_log import PermitLog
from pillarbox.access.policy_service import PolicyService, PolicySettings, check_policy_service
from pillarbox.access.question import PERMIT, Outcome, Question, Restriction, Subject
from pillarbox.access.rbl_replies import RblReplies
from pillarbox.config.value_types import items, time_span
from pillarbox.tables.opening import do_without, open_table
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.vocabulary.reply import Reply

_MISCONFIGURED: Final = Reply(451, (b"4.3.5 Server configuration error",))


class UnknownRestriction(ConfigurationFault):
    """A word that is none."""


class RestrictionList(msgspec.Struct, frozen=True):
    """A compiled list."""

    subject: Subject
    restrictions: tuple[Restriction, ...]

    async def evaluate(self, question: Question) -> Outcome:
        """The first word that decides; of a message that is thrown away nothing is asked any more."""
        for restriction in self.restrictions:
            if question.actions.discard:
                return None
            try:
                outcome = restriction(question, self.subject)
                if outcome is not None and outcome is not PERMIT and isinstance(outcome, Awaitable):
                    outcome = await outcome
            except BadResult as fault:
                for line in fault.args:
                    question.tell_warning(line)
                return _MISCONFIGURED
            if outcome is not None:
                return question.softened(outcome) if isinstance(outcome, Reply) else outcome
        return None


class Compiler:
    """Makes restrictions of words, with the tables and services that they name."""

    def __init__(
        self,
        *,
        clock: Clock,
        keys: AccessKeys,
        sender_logins: Sequence[LookupTable],
        serves_logins: bool,
        relay_certificates: Sequence[LookupTable] = (),
        asks_for_certificates: bool = False,
        rbl_replies: RblReplies,
        policy: PolicySettings,
        stress: str,
        queue_directory: str,
        class_text: Callable[[str], str],
        classes: Sequence[str],
        further: Mapping[str, Restriction],
        permits: PermitLog,
    ) -> None:
        """`class_text` gives the value of a parameter that smtpd_restriction_classes names.

        `relay_certificates` are the tables of relay_clientcerts, `further` more restrictions by their
        names; policy services are told the value of `stress`.
        """
        self._clock = clock
        self._keys = keys
        self._policy = policy
        self._stress = stress
        self._rbl_replies = rbl_replies
        self._directory = queue_directory
        self._asks = asks_for_certificates
        self._serves_logins = serves_logins
        self._class_text = class_text
        self._classes = frozenset(classes)
        self._plain = (
            _PLAIN
            | dict(further)
            | address_checks.sender_login_checks(sender_logins, serves_logins=serves_logins)
            | client_checks.certificate_checks(relay_certificates, asks=asks_for_certificates)
        )
        self._permits = permits
        self._results = AccessResults(self._of_result, permits)
        self._services: dict[str, PolicyService] = {}

    def compile(self, words: Sequence[str], *, subject: Subject, where: str) -> RestrictionList:
        """A restriction list from its words.

        What cannot be carried out is a ConfigurationFault, or, under `unavailable_tables()`, refuses with 451
        whoever gets as far.
        """
        return RestrictionList(subject, tuple(self._all(list(words), subject, where, frozenset())))

    def _of_result(self, text: str) -> list[Restriction]:
        """What an access table names.  A word that is none is missed only by who gets as far."""
        words = list(items(text))
        compiled: list[Restriction] = []
        while words:
            word = words[0]
            try:
                compiled += self._one(words, Subject.RECIPIENT, "access table", frozenset())
            except ConfigurationFault as fault:
                compiled.append(_missed(fault, word))
                break
        return compiled

    def _all(
        self, words: list[str], subject: Subject, where: str, inside: frozenset[str]
    ) -> list[Restriction]:
        compiled: list[Restriction] = []
        while words:
            word = words[0]
            try:
                compiled += self._one(words, subject, where, inside)
            except ConfigurationFault as fault:
                do_without(word, fault)
                compiled.append(_missed(fault, word))
                break
        return compiled

    def _one(
        self, words: list[str], subject: Subject, where: str, inside: frozenset[str]
    ) -> list[Restriction]:
        """The restriction that the first words name; they are taken off."""
        word = words.pop(0)
        name = word.lower()
        if name == "warn_if_reject":
            if not words:
                return []
            return [_warned(self._one(words, subject, where, inside))]
        if (plain := self._plain.get(name)) is not None:
            told = self._permits.told(word, plain)
            return [_followed(name, words[0], told) if words and name in _LAST else told]
        if word in self._classes:
            if word in inside:
                raise ConfigurationFault(where, f'restriction class "{word}" contains itself')
            return self._all(list(items(self._class_text(word))), subject, where, inside | {word})
        if name in _WITH_ARGUMENT:
            if not words and name in block_lists.BY_NAME:
                return [_useless(f"restriction {word} requires domain name argument")]
            if not words:
                raise ConfigurationFault(where, f"restriction {word}: {_NEEDS.get(name, _NEEDS_TABLE)}")
            made = self._with_argument(name, words.pop(0), where)
            return [self._permits.told(word, made) if name.startswith("permit_") else made]
        if ":" in word and subject in _TABLE_ALONE:
            return [self._table(word, _TABLE_ALONE[subject], where)]
        raise UnknownRestriction(
            where,
            f'restriction "{word}" is not served',
            mend="remove it; it is not skipped, since that could let mail in",
        )

    def _with_argument(self, name: str, argument: str, where: str) -> Restriction:
        if name not in _NEEDS and name not in block_lists.BY_NAME and ":" not in argument:
            raise ConfigurationFault(where, f'restriction {name}: bad argument "{argument}": {_NEEDS_TABLE}')
        if name in _ACCESS:
            return self._table(argument, _ACCESS[name], where)
        if name in server_tables.BY_NAME:
            table = open_table(argument, where=where, clock=self._clock)
            return server_tables.check_server_access(name, table, self._keys, self._results)
        if name == "check_sasl_access":
            table = open_table(argument, where=where, clock=self._clock)
            return (
                self._login_table(table)
                if self._serves_logins
                else address_checks.ignored_without_logins(name)
            )
        if name == "check_ccert_access":
            return self._certificate_table(argument, where)
        try:
            if name == "sleep":
                return _sleep(time_span(argument))
            if name == "check_policy_service":
                return check_policy_service(self._service(argument), self._results, stress=self._stress)
            return block_lists.BY_NAME[name](block_lists.parse_zone(argument), self._rbl_replies)
        except ValueError as error:
            raise ConfigurationFault(where, f"{name}: {error}") from error

    def _table(self, name: str, about: Subject, where: str) -> Restriction:
        return check_access(
            open_table(name, where=where, clock=self._clock), about, self._keys, self._results
        )

    def _certificate_table(self, argument: str, where: str) -> Restriction:
        """check_ccert_access: by the certificate's fingerprint, then by its public key's."""
        table = open_table(argument, where=where, clock=self._clock)
        results = self._results

        def check(question: Question, subject: Subject) -> Outcome | Awaitable[Outcome]:
            certificate = client_checks.certificate_of(question, "check_ccert_access", asks=self._asks)
            if certificate is None:
                return None
            name, about = certificate.subject.encode(), Subject.CERTIFICATE
            keys = iter([(certificate.fingerprint, True), (certificate.key_fingerprint, True)])
            try:
                result = find(table, keys)
            except LookupFault as fault:
                return table_failed(question, fault, name, about)
            if result is None:
                return None
            value, entry = result
            return results.act(value, question, name=name, about=about, source=table.name, entry=entry)

        return check

    def _login_table(self, table: LookupTable) -> Restriction:
        """check_sasl_access."""
        results = self._results

        def check(question: Question, subject: Subject) -> Outcome | Awaitable[Outcome]:
            login = question.client.sasl_username
            octets = login.encode("utf-8", "surrogateescape")
            try:
                value = table.query(login.lower()) if login else None
            except LookupFault as fault:
                return table_failed(question, fault, octets, Subject.LOGIN)
            if value is None:
                return None
            return results.act(
                value, question, name=octets, about=Subject.LOGIN, source=table.name, entry=login
            )

        return check

    def _service(self, text: str) -> PolicyService:
        """`unix:private/policy`, or `{ inet:host:port, timeout=10s, default_action=DUNNO }` without its braces."""
        service = self._services.get(text)
        if service is None:
            endpoint, *options = items(text)
            settings = self._policy
            for option in options:
                settings = _with_option(settings, option)
            service = PolicyService(endpoint, settings, directory=self._directory, clock=self._clock)
            self._services[text] = service
        return service


def _missed(fault: ConfigurationFault, word: str) -> Restriction:
    """In the place of a word in a table's result that cannot be carried out."""
    text = f'unknown smtpd restriction: "{word}"' if isinstance(fault, UnknownRestriction) else fault.what

    def check(question: Question, subject: Subject) -> Outcome:
        raise BadResult(text)

    return check


def _useless(warning: str) -> Restriction:
    """A restriction that does nothing but warn."""

    def check(question: Question, subject: Subject) -> Outcome:
        question.tell_warning(warning)
        return None

    return check


def _with_option(settings: PolicySettings, option: str) -> PolicySettings:
    name, equals, value = (part.strip() for part in option.partition("="))
    if not equals or name not in PolicySettings.__struct_fields__:
        raise ValueError(f'"{option}" is no option of a policy service')
    if name in ("default_action", "policy_context"):
        return msgspec.structs.replace(settings, **{name: value})
    number = time_span(value)
    return msgspec.structs.replace(
        settings, **{name: int(number) if name in ("request_limit", "try_limit") else number}
    )


def _warned(restrictions: list[Restriction]) -> Restriction:
    """warn_if_reject: the refusal stands in the log, and nowhere else."""

    async def check(question: Question, subject: Subject) -> Outcome:
        question.only_warns = True
        try:
            for restriction in restrictions:
                outcome = restriction(question, subject)
                if isinstance(outcome, Awaitable):
                    outcome = await outcome
                if isinstance(outcome, Reply):
                    question.tell("reject_warning", outcome.first_line)
                    return None
                if outcome is not None:
                    return outcome
        finally:
            question.only_warns = False
        return None

    return check


def _followed(name: str, ignored: str, restriction: Restriction) -> Restriction:
    """A word that decides, with another behind it: whenever it does, the log says that the other is of no use."""
    text = f"restriction `{ignored}' after `{name}' is ignored"

    async def check(question: Question, subject: Subject) -> Outcome:
        outcome = restriction(question, subject)
        if isinstance(outcome, Awaitable):
            outcome = await outcome
        if isinstance(outcome, Reply) and not question.only_warns:
            question.remarks.append(text)
        elif outcome is PERMIT:
            question.tell_warning(text)
        return outcome

    return check


def _sleep(seconds: float) -> Restriction:
    async def check(question: Question, subject: Subject) -> Outcome:
        await asyncio.sleep(seconds)
        return None

    return check


_LAST: Final = frozenset(("permit", "reject", "defer", "check_relay_domains"))
"""What decides, whatever the question is."""
_TABLE_ALONE: Final = {
    Subject.CLIENT: Subject.CLIENT,
    Subject.HELO: Subject.HELO,
    Subject.SENDER: Subject.SENDER,
    Subject.RECIPIENT: Subject.RECIPIENT,
    Subject.ETRN: Subject.ETRN,
}

_ACCESS: Final = {
    "check_client_access": Subject.CLIENT,
    "check_reverse_client_hostname_access": Subject.REVERSE_CLIENT,
    "check_helo_access": Subject.HELO,
    "check_sender_access": Subject.SENDER,
    "check_recipient_access": Subject.RECIPIENT,
    "check_etrn_access": Subject.ETRN,
}

_WITH_ARGUMENT: Final = frozenset(
    (
        *_ACCESS,
        *block_lists.BY_NAME,
        *server_tables.BY_NAME,
        "check_ccert_access",
        "check_sasl_access",
        "check_policy_service",
        "sleep",
    )
)

_NEEDS_TABLE: Final = "need maptype:mapname"
_NEEDS: Final = {
    "check_policy_service": "need service transport:endpoint",
    "sleep": "must be followed by number",
}
"""What is to stand behind the words that want no table and no block list."""

_PLAIN: Final[dict[str, Restriction]] = {
    "permit": client_checks.permit,
    "reject": client_checks.reject,
    "defer": client_checks.defer,
    "defer_if_permit": client_checks.defer_if_permit,
    "defer_if_reject": client_checks.defer_if_reject,
    "permit_mynetworks": client_checks.permit_mynetworks,
    "permit_inet_interfaces": client_checks.permit_inet_interfaces,
    "permit_sasl_authenticated": client_checks.permit_sasl_authenticated,
    "reject_plaintext_session": client_checks.reject_plaintext_session,
    "reject_unauth_pipelining": client_checks.reject_unauth_pipelining,
    "reject_unknown_client_hostname": client_checks.reject_unknown_client_hostname,
    "reject_unknown_client": client_checks.reject_unknown_client_hostname,
    "reject_unknown_reverse_client_hostname": client_checks.reject_unknown_reverse_client_hostname,
    "reject_invalid_helo_hostname": client_checks.reject_invalid_helo_hostname,
    "reject_invalid_hostname": client_checks.reject_invalid_helo_hostname,
    "reject_non_fqdn_helo_hostname": client_checks.reject_non_fqdn_helo_hostname,
    "reject_non_fqdn_hostname": client_checks.reject_non_fqdn_helo_hostname,
    "reject_unknown_helo_hostname": client_checks.reject_unknown_helo_hostname,
    "reject_unknown_hostname": client_checks.reject_unknown_helo_hostname,
    "permit_auth_destination": address_checks.permit_auth_destination,
    "reject_unauth_destination": address_checks.reject_unauth_destination,
    "defer_unauth_destination": address_checks.defer_unauth_destination,
    "reject_unlisted_recipient": address_checks.reject_unlisted_recipient,
    "check_recipient_maps": address_checks.reject_unlisted_recipient,
    "reject_unlisted_sender": address_checks.reject_unlisted_sender,
    "reject_non_fqdn_sender": address_checks.reject_non_fqdn_sender,
    "reject_non_fqdn_recipient": address_checks.reject_non_fqdn_recipient,
    "reject_unknown_sender_domain": address_checks.reject_unknown_sender_domain,
    "reject_unknown_address": address_checks.reject_unknown_sender_domain,
    "reject_unknown_recipient_domain": address_checks.reject_unknown_recipient_domain,
    "reject_multi_recipient_bounce": address_checks.reject_multi_recipient_bounce,
}
