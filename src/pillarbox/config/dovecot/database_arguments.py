"""args of passdb and userdb blocks: what each driver takes, and nothing else.

FAULTS
    ConfigurationFault  a word that the driver does not know, in Dovecot's words; its auth process dies of the
                        same when the first user asks

STANDARDS
    Dovecot 2.3 PasswordDatabase, UserDatabase, AuthDatabase.PasswdFile
"""

import grp
import pwd
from collections.abc import Callable
from typing import Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.dovecot.written_settings import Path
from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.vocabulary.faults import ConfigurationFault

_PAM_SWITCHES: Final = ("session", "setcred", "failure_show_msg", "blocking")
_PAM_VALUES: Final = ("cache_key", "max_requests")
_FILE_OPTIONS: Final = ("scheme", "username_format")


ELSEWHERE: Final = frozenset(("proxy", "proxy_maybe", "host", "hostip", "login_user"))
"""Fields of a passdb that say that the user's mail is on another host."""
_UNPROVED: Final = frozenset(("nopassword", "noauthenticate"))


def check_fields(configuration: Configuration, path: Path) -> None:
    """Whether fields of a passdb would send users elsewhere, or let them in without a password."""
    static = configuration.value(*path, "driver") == "static"
    for setting in (
        ("args", "default_fields", "override_fields") if static else ("default_fields", "override_fields")
    ):
        for word in configuration.value(*path, setting).split():
            name = word.partition("=")[0]
            why = ""
            if name in ELSEWHERE:
                why = "users would be sent to mailboxes of this host"
            elif name in _UNPROVED and (setting, name) != ("args", "nopassword"):
                why = "whether a password is asked for is the database's to say"
            if why:
                raise ConfigurationFault(
                    configuration.where(*path, setting),
                    f"passdb: field {name} in {setting} is not served: {why}",
                )


def check_arguments(configuration: Configuration, path: Path, driver: str) -> None:
    """Whether the driver of the block at `path` knows all words of its args."""
    kind = path[0]
    args = configuration.value(*path, "args")
    complaint = ""
    match kind, driver:
        case _, "passwd-file":
            complaint = _passwd_file(kind, args)
        case "passdb", "pam":
            complaint = _pam(args)
        case "passdb", ("passwd" | "shadow") if args not in ("", "blocking=yes", "blocking=no"):
            complaint = f"passdb {driver}: Unknown setting: {args}"
        case "userdb", "prefetch" if args:
            complaint = f"userdb prefetch: No args are supported: {args}"
        case "userdb", "static":
            complaint = _static_users(args)
    if complaint:
        raise ConfigurationFault(configuration.where(*path, "args"), complaint)


def fields_of_passwd(args: str) -> str:
    """userdb passwd: args but for blocking= are fields that replace those of passwd(5)."""
    return " ".join(word for word in args.split() if not word.startswith("blocking="))


def _pam(args: str) -> str:
    words = args.split()
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in _PAM_VALUES and equals and (name == "cache_key" or is_decimal_text(value, max_digits=10)):
            continue
        if name in _PAM_SWITCHES and value in ("yes", "no"):
            continue
        if at < len(words) - 1 or equals:
            return f"pam: Unknown setting: {word}"
    return ""


def _passwd_file(kind: str, args: str) -> str:
    rest = args.lstrip()
    while rest and not rest.startswith("/"):
        word, _, rest = rest.partition(" ")
        name, equals, _ = word.partition("=")
        if name not in _FILE_OPTIONS or not equals:
            return f"{kind} passwd-file: Unknown setting: {name}"
        rest = rest.lstrip()
    return "" if rest else f"{kind} passwd-file: Missing args: path"


def _static_users(args: str) -> str:
    for word in args.split():
        name, _, value = word.partition("=")
        if name == "uid" and not _is_there(value, pwd.getpwnam):
            return f"static userdb: Invalid uid: {value}"
        if name == "gid" and not _is_there(value, grp.getgrnam):
            return f"static userdb: Invalid gid: {value}"
    return ""


def _is_there(value: str, find: Callable[[str], object]) -> bool:
    if "%" in value or is_decimal_text(value, max_digits=10):
        return True
    try:
        find(value)
    except (KeyError, ValueError):
        return False
    return True
