"""The last_login plugin: when a user's mail was opened last, in a `file` dict.

DESCRIPTION
    last_login_dict = file:PATH has `shared/last-login/USER` and the time, in seconds since 1970 or as
    last_login_precision says (s, ms, us, ns); last_login_key names the key.  IMAP, POP3 and LMTP each note it where
    their mail_plugins say last_login.

FAULTS
    A time that cannot be noted is told in the log, and the session goes on.

STANDARDS
    Dovecot 2.3, last_login plugin
"""

import os
import time
from collections.abc import Mapping
from typing import Final

from pillarbox.config.dovecot import variables
from pillarbox.files.file_system import DISK
from pillarbox.mailstore.dovecot_files.dict_file import DictFile
from pillarbox.mailstore.mailbox import StoreUnavailable
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import EventSink, MailboxNotice, MailUser

_KEY: Final = "last-login/%u"
_NANOSECONDS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


class NotNoted(Exception):
    """Why a time was not noted."""


def note_login(plugin: Mapping[str, str], who: MailUser, home: str, tell: EventSink) -> None:
    """Note the time of now; waits for the file's lock."""
    if not plugin.get("last_login_dict"):
        return
    try:
        _note(plugin, who, home)
    except (NotNoted, OSError, StoreUnavailable, ValueError) as fault:
        tell(MailboxNotice(who, "Error", f"last_login_dict: {fault}"))


def _note(plugin: Mapping[str, str], who: MailUser, home: str) -> None:
    uri, precision = plugin["last_login_dict"], plugin.get("last_login_precision") or "s"
    driver, _, template = uri.partition(":")
    if driver != "file":
        raise NotNoted(f"dict_init({uri}) failed: dict driver {driver} is not served")
    if precision not in _NANOSECONDS:
        raise NotNoted(f"Invalid last_login_precision '{precision}'")
    values = variables.user_values(who.user) | {
        "home": home,
        "service": who.service,
        "rip": who.remote,
        "lip": who.local,
        "session": who.session,
    }
    names = [values[name] for name in ("user", "username", "domain")]
    if any(name in (".", "..") or "/" in name for name in names):
        raise NotNoted("the name cannot be part of a path")
    path = variables.expand(template, values)
    if path.startswith("~/"):
        path = home.rstrip("/") + path[1:]
    if not path.startswith("/"):
        raise NotNoted(f"{path} is not an absolute path")
    key = "shared/" + variables.expand(plugin.get("last_login_key") or _KEY, values)
    value = str(time.time_ns() // _NANOSECONDS[precision]).encode("ascii")
    DictFile(os.fsencode(path), DISK, SystemClock()).change(os.fsencode(key), lambda _: value)
