"""The real programs that tests talk to: whether they are here, and which version."""

import os
import platform
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from fakes import archives, client_libraries
from fakes.mail_system import PATIENCE

COMMANDS: Final = {  # name → how to ask for its version
    "getmail": ("getmail", "--version"),
    "neomutt": ("neomutt", "-v"),
    "offlineimap": ("offlineimap", "--version"),
    "alpine": ("alpine", "-v"),
    "curl": ("curl", "--version"),
    "check_imap": ("/usr/lib/nagios/plugins/check_imap", "-V"),
    "dovecot": ("dovecot", "--version"),
    "esmtp": ("esmtp", "-V"),
    "fail2ban": ("fail2ban-regex", "--version"),
    "fdm": ("fdm", "-V"),
    "fetchmail": ("fetchmail", "--version"),
    "gsasl": ("gsasl", "--version"),
    "haproxy": ("haproxy", "-v"),
    "horde": ("dpkg-query", "-W", "-f", "${Version}", "php-horde-imap-client"),
    "import": ("import", "-version"),  # of ImageMagick
    "imapfilter": ("imapfilter", "-V"),
    "interimap": ("interimap", "--version"),
    "ip": ("ip", "-Version"),
    "logwatch": ("logwatch", "--version"),
    "maildrop": ("maildrop", "-v"),
    "mbsync": ("mbsync", "--version"),
    "mlmmj": ("mlmmj-receive", "-V"),
    "monit": ("monit", "-V"),
    "movemail": ("movemail", "--version"),
    "mpop": ("mpop", "--version"),
    "msmtp": ("msmtp", "--version"),
    "openssl": ("openssl", "version"),
    "mutt": ("mutt", "-v"),
    "munin": ("/usr/share/munin/plugins/postfix_mailqueue", "autoconf"),
    "named": ("named", "-v"),
    "nmap": ("nmap", "--version"),
    "nmh": ("/usr/bin/mh/inc", "-version"),
    "delv": ("delv", "-v"),
    "php-imap": ("php", "--version"),
    "pflogsumm": ("pflogsumm", "--version"),
    "perl": ("perl", "-MMail::IMAPClient", "-e", "print Mail::IMAPClient->VERSION"),
    "policyd-spf": ("policyd-spf", "--version"),
    "postgrey": ("postgrey", "--version"),
    "prometheus-postfix-exporter": ("prometheus-postfix-exporter", "--version"),
    "procmail": ("procmail", "-v"),
    "postfix": ("postconf", "-d", "-h", "mail_version"),
    "qshape": ("qshape",),
    "ruby": ("ruby", "--version"),
    "rsyslogd": ("rsyslogd", "-v"),
    "roundcube": ("dpkg-query", "-W", "-f", "${Version}", "roundcube-core"),
    "s-nail": ("s-nail", "-V"),
    "saslauthd": ("saslauthd", "-v"),
    "strace": ("strace", "--version"),
    "swaks": ("swaks", "--version"),
    "thunderbird": ("thunderbird", "--version"),
    "systemd": ("systemctl", "--version"),
    "unshare": ("unshare", "--version"),
    "xvfb": ("Xvfb", "-version"),
}
"""Besides these: `imaplib`, `poplib` and `smtplib`, which come with Python, the packages of archives.py and the
libraries of client_libraries.py."""

_PYTHON: Final = ("imaplib", "poplib", "smtplib")
_VERSION: Final = re.compile(r"[0-9]+(?:\.[0-9A-Za-z]+)+|[0-9]{8}")
_PATH: Final = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def program(name: str) -> str | None:
    """Where the program of a counterpart lies."""
    path = f"/usr/sbin/{COMMANDS[name][0]}"  # a command of ours may come first in PATH
    return path if os.access(path, os.X_OK) else shutil.which(COMMANDS[name][0], path=_PATH)


def is_here(name: str) -> bool:
    """Whether a counterpart can be used."""
    if name in archives.PACKAGES:
        return bool(archives.version(name))
    if name in client_libraries.LIBRARIES:
        return bool(client_libraries.version(name))
    if name == "php-imap":
        return _has_php_imap()
    if name == "horde":
        return Path("/usr/share/php/Horde/Imap/Client.php").exists()
    if name == "roundcube":
        return Path("/usr/share/roundcube/index.php").exists()
    return name in _PYTHON or program(name) is not None


@cache
def _has_php_imap() -> bool:
    php = program("php-imap")
    return (
        php is not None
        and subprocess.run([php, "--ri", "imap"], check=False, capture_output=True).returncode == 0
    )


@cache
def version(name: str) -> str:
    """The version it gives itself."""
    if name in _PYTHON:
        return f"Python {platform.python_version()}"
    if name in archives.PACKAGES:
        return archives.version(name)
    if name in client_libraries.LIBRARIES:
        return client_libraries.version(name)
    if name == "qshape":
        return version("postfix")
    command = [program(name) or name, *COMMANDS[name][1:]]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, errors="replace", timeout=PATIENCE
    )
    found = _VERSION.search(done.stdout + done.stderr)
    return found[0] if found else "of unknown version"
