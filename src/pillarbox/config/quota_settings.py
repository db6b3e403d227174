"""Quotas as dovecot.conf and the userdb set them: roots, rules, grace and warnings.

DESCRIPTION
    `quota_settings(values)` takes the settings of plugin { } together with a user's own fields, which have the same
    names: quota, quota_rule, quota_rule2, quota_warning, quota_grace, quota2, quota2_rule, … .

        quota = count:User quota               a root: its back-end and its name
        quota_rule = *:storage=1G:messages=10000      what all mailboxes may hold together
        quota_rule2 = Trash:storage=+100M             more, while something is put into Trash
        quota_rule3 = Spam:ignore                     what is there does not count
        quota_grace = 10%                             by how much a delivery may exceed it
        quota_warning = storage=95% quota-warning 95  a socket of base_dir, and arguments
        quota_over_flag_value = TRUE                  what the userdb's quota_over_flag is while usage is over
        quota_over_script = quota-warning mismatch    who is told when that is not so

    Without a rule for `*`, the limits of back-end maildir are those that its file maildirsize tells.

FAULTS
    QuotaFault  the setting's name and what is wrong with it, in Dovecot's words

STANDARDS
    Dovecot 2.3 Quota, Quota.Configuration; Maildir++ (maildirsize)
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from pillarbox.vocabulary.wildcards import mask_pattern

DRIVERS: Final = ("count", "maildir")
UNSERVED_DRIVERS: Final = ("dict", "dirsize", "fs", "imapc")
DEFAULT_EXCEEDED: Final = "Quota exceeded (mailbox for user is full)"
DEFAULT_GRACE: Final = "10%"
_LIMIT: Final = re.compile(r"([-+]?)(\d{1,18})\s*([a-zA-Z%]*)", re.ASCII)
_UNITS: Final = {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class QuotaFault(Exception):
    """A setting that cannot be understood."""

    def __init__(self, setting: str, text: str) -> None:
        super().__init__(f"{setting}: {text}")
        self.setting = setting


class Amount(msgspec.Struct, frozen=True):
    """Octets or messages, or a part of what the default rule says."""

    fixed: int = 0
    percent: int = 0

    def of(self, whole: int) -> int:
        """The number."""
        return whole * self.percent // 100 if self.percent else self.fixed


class QuotaRule(msgspec.Struct, frozen=True):
    """What a mailbox may hold more, or less, than the default."""

    mask: str
    octets: Amount = Amount()
    messages: Amount = Amount()
    ignore: bool = False


class QuotaWarning(msgspec.Struct, frozen=True):
    """Something to be told when usage passes a limit, upwards or, `is_under`, downwards."""

    octets: Amount
    messages: Amount
    is_under: bool
    command: str
    """A socket's name and arguments."""


class OverFlag(msgspec.Struct, frozen=True):
    """What the userdb believes of whether a user is over quota, and who is told if it is wrong."""

    command: str
    """A socket's name and arguments."""
    is_set: bool
    is_lazy: bool = False
    """Looked at when a client asks for the quota, not at the beginning of a session."""


class QuotaRoot(msgspec.Struct, frozen=True, kw_only=True):
    """One quota of a user."""

    name: str
    driver: str
    octets: int = 0
    """The default rule; 0: unlimited."""
    messages: int = 0
    is_forced: bool = False
    """A rule `*` is there: limits in maildirsize do not count."""
    rules: tuple[QuotaRule, ...] = ()
    warnings: tuple[QuotaWarning, ...] = ()
    grace: Amount = Amount(percent=10)
    is_enforced: bool = True
    is_hidden: bool = False
    ignores_unlimited: bool = False
    over_flag: OverFlag | None = None


class QuotaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All quotas of a user."""

    roots: tuple[QuotaRoot, ...] = ()
    exceeded_message: str = DEFAULT_EXCEEDED
    max_mail_size: int = 0
    """Octets of one message; 0: any."""
    counts_crlf: bool = False
    """quota_vsizes: maildirsize counts lines with CRLF."""


def quota_settings(values: Mapping[str, str]) -> QuotaSettings:
    """The quotas that settings and fields come to.  QuotaFault."""
    max_size = values.get("quota_max_mail_size", "")
    return QuotaSettings(
        roots=tuple(_roots(values)),
        exceeded_message=values.get("quota_exceeded_message", "") or DEFAULT_EXCEEDED,
        max_mail_size=_octets("quota_max_mail_size", max_size) if max_size else 0,
        counts_crlf=_is_yes(values.get("quota_vsizes", "")),
    )


def is_quota_setting(name: str) -> bool:
    """Whether a setting of plugin { } is one of those that are served."""
    return _SERVED.fullmatch(name) is not None


_SERVED: Final = re.compile(
    r"quota\d*|quota\d*_(?:rule|warning)\d*|quota\d*_grace|quota\d*_over_(?:script|flag|flag_value|flag_lazy_check)"
    r"|quota_exceeded_message|quota_max_mail_size|quota_vsizes"
    r"|quota_status_(?:success|nouser|overquota|toolarge)",
    re.ASCII,
)


def _roots(values: Mapping[str, str]) -> Iterator[QuotaRoot]:
    for prefix in _numbered(values, "quota"):
        if values[prefix]:
            yield _root(prefix, values)


def _numbered(values: Mapping[str, str], name: str) -> Iterator[str]:
    """`name`, `name2`, `name3`, … as far as they are set without a gap."""
    number = 1
    while (key := name if number == 1 else f"{name}{number}") in values:
        yield key
        number += 1


def _root(prefix: str, values: Mapping[str, str]) -> QuotaRoot:
    driver, _, rest = values[prefix].partition(":")
    if driver not in DRIVERS:
        reason = "is not served" if driver in UNSERVED_DRIVERS else "is unknown"
        raise QuotaFault(prefix, f"Quota backend {driver} {reason}: {' or '.join(DRIVERS)}")
    name, *arguments = rest.split(":")
    for argument in arguments:
        if argument and argument not in ("noenforcing", "hidden", "ignoreunlimited"):
            raise QuotaFault(prefix, f"Invalid parameter: {argument}")
    octets = messages = 0
    is_forced = False
    rules: list[QuotaRule] = []
    for key in _numbered(values, f"{prefix}_rule"):
        rule = _rule(key, values[key])
        if rule.mask in ("*", "?"):
            octets, messages = _default(key, rule)
            is_forced = is_forced or rule.mask == "*"
        else:
            rules.append(rule)
    return QuotaRoot(
        name=name,
        driver=driver,
        octets=octets,
        messages=messages,
        is_forced=is_forced,
        rules=tuple(rules),
        warnings=tuple(_warning(key, values[key]) for key in _numbered(values, f"{prefix}_warning")),
        grace=_amount(f"{prefix}_grace", values.get(f"{prefix}_grace", "") or DEFAULT_GRACE, 1, signed=False),
        is_enforced="noenforcing" not in arguments,
        is_hidden="hidden" in arguments,
        ignores_unlimited="ignoreunlimited" in arguments,
        over_flag=_over_flag(prefix, values),
    )


def _over_flag(prefix: str, values: Mapping[str, str]) -> OverFlag | None:
    """`*` and `?` in quota_over_flag_value are patterns; the flag itself is the command's last argument."""
    command, mask = values.get(f"{prefix}_over_script", ""), values.get(f"{prefix}_over_flag_value")
    if not command or mask is None:
        return None
    flag = values.get(f"{prefix}_over_flag")
    return OverFlag(
        command if flag is None else f"{command} {flag}",
        flag is not None and mask_pattern(mask.lower()).fullmatch(flag.lower()) is not None,
        _is_yes(values.get(f"{prefix}_over_flag_lazy_check", "")),
    )


def _is_yes(text: str) -> bool:
    return text.lower() in ("yes", "y", "1", "true")


def _default(key: str, rule: QuotaRule) -> tuple[int, int]:
    if rule.ignore:
        return 0, 0
    for amount in (rule.octets, rule.messages):
        if amount.percent:
            raise QuotaFault(key, "Default rule can't be a percentage")
        if amount.fixed < 0:
            raise QuotaFault(key, "Limit can't be negative")
    return rule.octets.fixed, rule.messages.fixed


def _rule(key: str, text: str) -> QuotaRule:
    mask, colon, limits = text.partition(":")
    if not colon:
        raise QuotaFault(key, f"Invalid rule: {text}")
    if limits == "ignore":
        return QuotaRule(mask, ignore=True)
    octets, messages = _limits(key, limits, signed=mask not in ("*", "?"))
    return QuotaRule(mask, octets, messages)


def _limits(key: str, text: str, *, signed: bool) -> tuple[Amount, Amount]:
    octets = messages = Amount()
    for part in text.split(":"):
        name, _, value = part.partition("=")
        if name == "storage":
            octets = _amount(key, value, 1024, signed=signed)
        elif name == "bytes":
            octets = _amount(key, value, 1, signed=signed)
        elif name == "messages":
            messages = _amount(key, value, 1, signed=signed)
        else:
            raise QuotaFault(key, f"Unknown rule limit name: {name}")
    return octets, messages


def _amount(key: str, text: str, unit: int, *, signed: bool) -> Amount:
    match = _LIMIT.fullmatch(text.strip())
    if match is None:
        raise QuotaFault(key, f"Invalid limit: {text}")
    sign, digits, suffix = match.groups()
    if sign and not signed:
        raise QuotaFault(key, f"Rule limit cannot have '{sign}': {text}")
    number = int(digits) * (-1 if sign == "-" else 1)
    if suffix == "%":
        if not -100 < number < 1 << 32:
            raise QuotaFault(key, f"Invalid percentage: {number}")
        return Amount(percent=number)
    if suffix:
        unit = _UNITS.get(suffix.upper(), 0)
        if not unit:
            raise QuotaFault(key, f"Unknown unit: {suffix}")
    return Amount(number * unit)


def _octets(key: str, text: str) -> int:
    return _amount(key, text, 1, signed=False).fixed


def _warning(key: str, text: str) -> QuotaWarning:
    threshold, _, command = text.partition(" ")
    is_under = threshold.startswith("-")
    octets, messages = _limits(key, threshold.removeprefix("-").removeprefix("+"), signed=False)
    return QuotaWarning(octets, messages, is_under, command.strip())
