"""mail_location: `driver:path:KEY=value…`, and what of it can be served.

FAULTS
    ConfigurationFault  a place where mail would not be found or not be looked for: mbox, dbox, INBOX=, …

STANDARDS
    Dovecot 2.3 MailLocation
"""

import grp
import os
import pwd
import re
from collections.abc import Callable, Mapping
from typing import Final

from pillarbox.config.dovecot import variables
from pillarbox.config.mailbox_settings import Storage
from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.vocabulary.faults import ConfigurationFault

_MBOX: Final = "put mail_location = maildir:~/Maildir, and bring old mail over: pillarbox import mbox FILE"
_DRIVERS: Final = {
    "mbox": _MBOX,
    "dbox": "convert the mail to Maildir with Dovecot's doveadm sync",
    "sdbox": "convert the mail to Maildir with Dovecot's doveadm sync",
    "mdbox": "convert the mail to Maildir with Dovecot's doveadm sync",
    "imapc": "only local mailboxes are served",
    "pop3c": "only local mailboxes are served",
}
_WITHOUT_EFFECT: Final = {
    "ALT": "Maildir has no alternate storage, in Dovecot neither",
    "INDEXPVT": "flags are not kept for each user: all who share a mailbox see the same",
    "NO-NOSELECT": "a name without mailbox is listed as long as there is one below it",
    "INDEXCACHE": "",
    "VOLATILEDIR": "",
    "ITERINDEX": "",
}
"""What an admin is told of options that change nothing here; nothing of those by which Dovecot is only faster."""


_BEGINS_AT_HOME: Final = re.compile(r"%(?:[-.\dA-Z]*h|\{home\})")
"""The home directory by its variable, with modifiers: %Lh."""


def storage(text: str, *, where: str, escaping: str = "") -> Storage:
    """The Maildir that a mail_location names; `escaping` is listescape_char."""
    if not text:
        return Storage(escaping=escaping)
    driver, *words = _words(text)
    rest = ":".join(words)
    undecided = ""
    if not words or (driver and not driver.isalnum()):  # a path alone
        driver, rest, undecided = "auto", text, text
    elif driver == "auto":
        undecided = text
    if driver in _DRIVERS:
        raise ConfigurationFault(
            where, f"mail_location {text}: {driver} is not served", mend=_DRIVERS[driver]
        )
    if driver not in ("maildir", "auto"):
        raise ConfigurationFault(where, f"Unknown mail storage driver {driver}", mend="maildir:~/Maildir")
    path, *options = _words(rest)
    if not path:
        raise ConfigurationFault(where, "Root mail directory not given", mend=f"{driver}:~/Maildir")
    path = _path(path.rstrip("/") or "/", where)
    chosen = {"path": path, "control": "", "index": ""}
    nested = False
    for option in options:
        name, _, value = option.partition("=")
        name, value = name.upper(), value.rstrip("/")
        if name in ("CONTROL", "INDEX") and value:
            chosen[name.lower()] = "" if value == "MEMORY" else _path(value, where)
        elif name == "LAYOUT" and value.lower() in ("fs", "maildir++"):
            nested = value.lower() == "fs"
        else:
            _check(option, path, where)
    return Storage(
        path=chosen["path"],
        control=chosen["control"],
        index=chosen["index"],
        nested=nested,
        escaping=escaping,
        undecided=undecided,
    )


def without_effect(text: str) -> list[str]:
    """`OPTION is ignored: why`, of those that somebody could miss."""
    names = [option.partition("=")[0].upper() for option in _words(text)[2:]]
    return [f"{name} is ignored: {reason}" for name in names if (reason := _WITHOUT_EFFECT.get(name))]


def _words(text: str) -> list[str]:
    """What colons part, but for those within a variable: `%{userdb:place:mail}`."""
    words, depth = [""], 0
    for piece in re.split("([:{}])", text):
        if piece == ":" and depth == 0:
            words.append("")
            continue
        depth = max(0, depth + {"{": 1, "}": -1}.get(piece, 0))
        words[-1] += piece
    return words


def _path(path: str, where: str) -> str:
    """A directory with `~` and variables."""
    try:
        variables.check(path, of_mail=True)
    except ValueError as error:
        raise ConfigurationFault(where, f"mail_location: {error}") from error
    if not path.startswith(("/", "~", "%")):
        path = f"~/{path}"
    return path.replace("%h", "~", 1) if path.startswith("%h") else path


def place_of(
    configured: Storage, own: str, *, user: str, home: str, fields: Mapping[str, str] = {}
) -> Storage:
    """Where a user's mail is, with absolute paths; `own` is what the userdb says of it, mail=maildir:…, and
    `fields` what it says besides.

    ConfigurationFault if it lies below a home that the user does not have, or if no driver is named and there is
    no Maildir.
    """
    where = f"user {user}"
    chosen = configured
    if own:
        chosen = storage(own, where=f"{where}: userdb field mail", escaping=configured.escaping)
    values = {
        **variables.user_values(user),
        **owner_values(fields),
        "home": home,
        **variables.field_values("userdb", fields),
    }
    if any(value in (".", "..") or "/" in value for value in (values["username"], values["domain"], user)):
        raise ConfigurationFault(where, "the name cannot be part of a path")

    def absolute(template: str) -> str:
        path = variables.expand(template, values)
        if _BEGINS_AT_HOME.match(template) and not home.startswith("/"):
            path = "~"
        elif template.startswith("%") and not path.startswith(("/", "~")):
            path = f"~/{path}"  # a variable that is no path by itself
        if path == "~" or path.startswith("~/"):
            if not home.startswith("/"):
                raise ConfigurationFault(
                    where, f"no home directory, and mail_location {template} lies in it", mend="set mail_home"
                )
            path = home.rstrip("/") + path[1:]
        if not path.startswith("/"):
            raise ConfigurationFault(where, f"mail_location {path} is not an absolute path")
        return path.rstrip("/") or "/"

    path = absolute(chosen.path)
    if chosen.undecided:
        _check_maildir(path, variables.expand(chosen.undecided, values), home)
    return Storage(
        path=path,
        control=absolute(chosen.control) if chosen.control else "",
        index=absolute(chosen.index) if chosen.index else "",
        nested=chosen.nested,
        escaping=chosen.escaping,
        prefixed=configured.prefixed,
    )


def owner_values(fields: Mapping[str, str]) -> dict[str, str]:
    """What `%{uid}` and `%{gid}` stand for: numbers that the userdb says, or those of this process."""
    return {
        "uid": str(_number(fields.get("uid", ""), lambda name: pwd.getpwnam(name).pw_uid, os.getuid())),
        "gid": str(_number(fields.get("gid", ""), lambda name: grp.getgrnam(name).gr_gid, os.getgid())),
    }


def _number(text: str, find: Callable[[str], int], own: int) -> int:
    if not text:
        return own
    if is_decimal_text(text, max_digits=10):
        return int(text)
    try:
        return find(text)
    except KeyError:
        return own


def _check_maildir(path: str, setting: str, home: str) -> None:
    """ConfigurationFault if there is none; who may not look will hear of it from the store."""
    try:
        os.stat(f"{path}/cur")
    except (FileNotFoundError, NotADirectoryError) as error:
        where = "Namespace ''"
        if setting.startswith("auto:"):
            text = f"Autodetection failed for {setting} (home={home})"
            raise ConfigurationFault(where, text) from error
        raise ConfigurationFault(
            where,
            f"Ambiguous mail location setting, don't know what to do with it: {setting}",
            mend="try prefixing it with mbox: or maildir:",
        ) from error
    except OSError:
        return


def _check(option: str, path: str, where: str) -> None:
    name, _, value = option.partition("=")
    name = name.upper()
    same = (name, value.rstrip("/")) == ("INBOX", path)
    plain = (name, value.lower()) == ("SUBSCRIPTIONS", "subscriptions")
    if name not in _WITHOUT_EFFECT and not same and not plain:
        raise ConfigurationFault(
            where,
            f"mail_location: {option} is not served: mail or its UIDs would not be found",
            mend=f"leave it out; everything of an account is in {path}",
        )
