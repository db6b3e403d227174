"""dovecot.conf: global settings of the mailbox half.

DESCRIPTION
    `key = value` lines; `#` begins a comment outside quotes; a value may stand in double quotes; `< /path` gives
    the path of a file (ssl_cert, ssl_key).  Settings that are served are fields of `MailboxSettings`; any other
    setting, and every block, is refused with its line, because to skip it could let somebody in.

FAULTS
    ConfigurationFault  an unknown setting, a block, a value of the wrong kind: file, line, text, and what to do

STANDARDS
    Dovecot 2.3 ConfigFile
"""

import os
from collections.abc import Callable
from typing import Any, Final

import msgspec

from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.config.value_types import time_span
from pillarbox.vocabulary.faults import ConfigurationFault


def read_dovecot_conf(path: str, defaults: MailboxSettings) -> MailboxSettings:
    """The settings of a file over `defaults`; a file that is not there changes nothing."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return defaults
    except OSError as error:
        raise ConfigurationFault(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationFault(path, f"is not UTF-8 at octet {error.start}") from error
    return parse_dovecot_conf(text, path=path, defaults=defaults)


def parse_dovecot_conf(text: str, *, path: str, defaults: MailboxSettings) -> MailboxSettings:
    """The settings of a text over `defaults`; the last of several definitions counts."""
    changes: dict[str, object] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        bare = _without_comment(line).strip()
        if not bare:
            continue
        where = f"{path} line {number}"
        name, equals, value = bare.partition("=")
        name = name.strip()
        if not equals or bare.endswith("{") or bare == "}":
            raise ConfigurationFault(
                where, f'"{bare}" is not served', mend="global settings only: key = value"
            )
        if name not in _SERVED:
            raise ConfigurationFault(
                where, f"Unknown setting: {name}", mend=f"served are: {', '.join(sorted(_SERVED))}"
            )
        try:
            changes[name] = _SERVED[name](_unquoted(value.strip()))
        except ValueError as error:
            raise ConfigurationFault(where, f"{name}: {error}", mend="see the value's form") from error
    return msgspec.structs.replace(defaults, **changes)


def _without_comment(line: str) -> str:
    quoted = False
    for at, letter in enumerate(line):
        if letter == '"':
            quoted = not quoted
        elif letter == "#" and not quoted:
            return line[:at]
    return line


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return value


def _boolean(value: str) -> bool:
    if value not in ("yes", "no"):
        raise ValueError(f'"{value}" is neither yes nor no')
    return value == "yes"


def _number(value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > 9:
        raise ValueError(f'"{value}" is not a number')
    return int(value)


def _size(value: str) -> int:
    """Octets: `10M`, `64 k`; a setting for which there must be a limit."""
    digits = value.rstrip("BKMGkmgb").rstrip()
    unit = value[len(digits) :].strip().upper().removesuffix("B")
    if unit not in _UNITS:
        raise ValueError(f'"{value}" is not a size')
    octets = _number(digits) * _UNITS[unit]
    if not 0 < octets < 1 << 32:
        raise ValueError(f'"{value}" is not between 1 and 4G')
    return octets


_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def _words(value: str) -> tuple[str, ...]:
    return tuple(value.replace(",", " ").split())


def _mechanisms(value: str) -> tuple[str, ...]:
    words = _words(value.lower())
    if unknown := [word for word in words if word not in ("plain", "login")]:
        raise ValueError(f"mechanism {unknown[0]} is not served")
    return words


def _file(value: str) -> str:
    path = value.removeprefix("<").strip()
    if not os.path.isabs(path):
        raise ValueError(f'"{path}" is not an absolute path')
    return path


def _delay(value: str) -> float:
    words = value.split()
    if len(words) == 2 and words[1] in ("secs", "sec", "mins", "min"):
        value = words[0] + words[1][0]
    return time_span(value)


_SERVED: Final[dict[str, Callable[[str], Any]]] = {
    "auth_failure_delay": _delay,
    "auth_mechanisms": _mechanisms,
    "disable_plaintext_auth": _boolean,
    "first_valid_uid": _number,
    "login_greeting": str,
    "login_trusted_networks": _words,
    "mail_max_userip_connections": _number,
    "quota_mail_size": _size,
    "ssl_cert": _file,
    "ssl_key": _file,
}
