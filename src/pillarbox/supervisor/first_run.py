"""The embedded default: what the first start makes in its directory (home.py).

DESCRIPTION
    `prepare()` makes what is missing and changes nothing that is there: a second start finds the same data.
    Domain pillarbox.test, one user, nothing leaves the machine until default_transport is changed.

FAULTS
    StartFault  the directory cannot be written, or its path cannot stand in configuration files: one line that says
                which and why
"""

import datetime
import os
import secrets
from pathlib import Path
from typing import Final

from pillarbox.auth.password_schemes import make
from pillarbox.supervisor.home import DOMAIN, USER, Home
from pillarbox.supervisor.listeners import StartFault
from pillarbox.supervisor.system_users import Owners
from pillarbox.vocabulary.secret import Secret

_FOR_GRAMMARS: Final = ' \t\n,:;#$%"\\'
"""What means something else in main.cf or dovecot.conf."""


def write_dovecot_conf(home: Home, owners: Owners | None) -> str:
    """The mailbox half's configuration: what this start needs, then etc/dovecot.conf.  Its path."""
    uid, gid = (owners.vmail.uid, owners.vmail.gid) if owners else (os.getuid(), os.getgid())
    path = home.root / "run" / "dovecot.conf"
    text = _DOVECOT_CONF.format(
        root=home.root, uid=uid, gid=gid, first_uid=min(uid, 500), first_gid=min(gid, 1)
    )
    _write(path, text, 0o644)
    return str(path)


def prepare(home: Home, *, owners: Owners | None, now: datetime.datetime) -> None:
    """Make what is missing."""
    _check_path(home)
    try:
        for name, mode in (("", 0o755), ("etc", 0o755), ("log", 0o755), ("run", 0o755)):
            (home.root / name).mkdir(mode=mode, parents=True, exist_ok=True)
        mail = home.root / "mail"
        if not mail.exists():
            mail.mkdir(mode=0o700)
            if owners is not None:
                os.chown(mail, owners.vmail.uid, owners.vmail.gid)
        if not home.users.exists():
            _make_user(home, owners)
        if not (home.etc / "self-signed.pem").exists():
            from pillarbox.net.self_signed import make_self_signed  # later starts do without

            make_self_signed(home.etc, host=DOMAIN, now=now)
        if not (home.etc / "main.cf").exists():
            _write(home.etc / "main.cf", _main_cf(home, owners), 0o644)
        if not (home.etc / "master.cf").exists():
            _write(home.etc / "master.cf", _MASTER_CF, 0o644)
    except OSError as error:
        raise StartFault(f"cannot write {error.filename or home.root}: {error.strerror}") from error


def _check_path(home: Home) -> None:
    path = str(home.root)
    unfit = next((character for character in path if character in _FOR_GRAMMARS), None)
    if unfit is not None:
        raise StartFault(f"{path}: {unfit!r} cannot stand in the path; choose another directory with --data")


def _make_user(home: Home, owners: Owners | None) -> None:
    password = secrets.token_urlsafe(12)
    _write(home.password, password + "\n", 0o600)
    _write(home.users, user_line(USER, Secret(password.encode())), 0o600)
    if owners is not None:
        os.chown(home.users, owners.dovecot.uid, owners.dovecot.gid)


def user_line(user: str, password: Secret) -> str:
    """A line of the passwd-file; the home is DOMAIN/USER below the mailboxes."""
    local_part, _, domain = user.partition("@")
    return f"{user}:{make(password)}::::{domain}/{local_part}::\n"


def _write(path: Path, text: str, mode: int) -> None:
    """Write a new file as a whole: what stands under its name is complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)


def _main_cf(home: Home, owners: Owners | None) -> str:
    uid, gid = (owners.vmail.uid, owners.vmail.gid) if owners else (os.getuid(), os.getgid())
    return f"""# Postfix's grammar; `pillarbox run` reads it from here.  postconf(1) edits it:
# postconf -c {home.etc} -e name=value
compatibility_level = 3.6
myhostname = {DOMAIN}
mydomain = {DOMAIN}
myorigin = $mydomain
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8 [::1]/128

queue_directory = {home.root}/spool
data_directory = {home.root}/lib

# Users are virtual: one passwd-file is read for logins and for addresses.
mydestination =
local_recipient_maps =
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {home.root}/mail
virtual_mailbox_maps = passwd-file:{home.users}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = {min(uid, 100)}
virtual_alias_maps = inline:{{ postmaster@{DOMAIN}={USER}, abuse@{DOMAIN}={USER} }}

# Nothing leaves this machine until you choose a way out: default_transport = smtp, or a relayhost.
default_transport = error:5.4.4 this host has no route to other hosts yet (default_transport in main.cf)

message_size_limit = 52428800
smtpd_tls_security_level = may
smtpd_tls_cert_file = {home.etc}/self-signed.pem
smtpd_tls_key_file = {home.etc}/self-signed.key
smtpd_tls_protocols = >=TLSv1.2
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_tls_loglevel = 1
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
"""


_DOVECOT_CONF: Final = """\
# Made anew at every start of `pillarbox run`; settings of your own go into etc/dovecot.conf.
base_dir = {root}/run
protocols = imap pop3
listen = 127.0.0.1
login_greeting = Pillarbox ready.
auth_mechanisms = plain login
auth_verbose = yes
first_valid_uid = {first_uid}
first_valid_gid = {first_gid}
mail_uid = {uid}
mail_gid = {gid}
mail_location = maildir:~/Maildir
ssl_cert = <{root}/etc/self-signed.pem
ssl_key = <{root}/etc/self-signed.key
passdb {{
  driver = passwd-file
  args = {root}/etc/users
}}
userdb {{
  driver = passwd-file
  args = {root}/etc/users
  override_fields = home={root}/mail/%d/%n
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    auto = subscribe
    special_use = \\Drafts
  }}
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox "Sent Messages" {{
    special_use = \\Sent
  }}
  mailbox Junk {{
    auto = subscribe
    special_use = \\Junk
  }}
  mailbox Trash {{
    auto = subscribe
    special_use = \\Trash
  }}
  mailbox Archive {{
    auto = subscribe
    special_use = \\Archive
  }}
}}
service auth {{
  unix_listener {root}/spool/private/auth {{
    mode = 0600
    user = postfix
    group = postfix
  }}
}}
!include_try {root}/etc/dovecot.conf
"""


_MASTER_CF: Final = """# service type  private unpriv  chroot  wakeup  maxproc command + args
smtp      inet  n       -       n       -       -       smtpd
submission inet n       -       n       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_auth_only=no
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
submissions inet n      -       n       -       -       smtpd
  -o syslog_name=postfix/submissions
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
"""
