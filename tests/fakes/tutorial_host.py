"""The host of a classic tutorial: a name server with the domain's zone, syslog, two users; no mail system yet."""

from typing import Final

from fakes.host import ADDRESS, LOG, Host

SOCKETS_FOR_POSTFIX: Final = """\
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    mode = 0600
    user = postfix
    group = postfix
  }
}
"""
"""Of a dovecot.conf: where Postfix has logins checked, and puts mail."""
DOMAIN: Final = "tutorial.test"
MAIL_HOST: Final = f"mail.{DOMAIN}"
USERS: Final = {"alice": "correct horse 1", "bob": "battery staple 2"}

MAIN_CF: Final = f"""\
compatibility_level = 3.6

inet_interfaces = all
myhostname = {MAIL_HOST}
mydomain = {DOMAIN}
myorigin = $mydomain
mydestination = $myhostname, localhost.$mydomain, localhost, $mydomain
home_mailbox = Maildir/
"""
"""The first line stands in the file that comes with the package; the others are what the tutorial has one write."""

DOVECOT_CONF: Final = """\
protocols = imap pop3
listen = *
mail_location = maildir:~/Maildir
ssl = no
disable_plaintext_auth = no
passdb {
  driver = pam
}
userdb {
  driver = passwd
}
"""

_NAMED_CONF: Final = f"""\
options {{
  directory "/var/cache/bind";
  listen-on {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  recursion no;
  dnssec-validation no;
}};
zone "." {{ type master; file "/etc/bind/db.root"; }};
zone "{DOMAIN}" {{ type master; file "/etc/bind/db.{DOMAIN}"; }};
zone "2.0.192.in-addr.arpa" {{ type master; file "/etc/bind/db.192.0.2"; }};
"""
_START_OF_ZONE: Final = f"""\
$TTL 3600
@ IN SOA ns.{DOMAIN}. hostmaster.{DOMAIN}. ( 1 3600 600 86400 60 )
@ IN NS ns.{DOMAIN}.
"""
_ZONE: Final = f"""\
@        IN MX 10 mail
ns       IN A {ADDRESS}
mail     IN A {ADDRESS}
nowhere  IN A 198.51.100.1
"""
_RSYSLOG_CONF: Final = f"""\
module(load="imuxsock")
$ActionFileDefaultTemplate RSYSLOG_TraditionalFileFormat
mail.* {LOG}
auth,authpriv.* /var/log/auth.log
$IncludeConfig /etc/rsyslog.d/*.conf
"""
"""Debian's, without the kernel's messages and without buffering."""


def tutorial_host(path: str) -> Host:
    """A started host, ready for the tutorial's first step."""
    host = Host(MAIL_HOST, path=path)
    try:
        host.write("/etc/bind/named.conf", _NAMED_CONF)
        host.write("/etc/bind/db.root", _START_OF_ZONE)
        host.write(f"/etc/bind/db.{DOMAIN}", _START_OF_ZONE + _ZONE)
        host.write("/etc/bind/db.192.0.2", _START_OF_ZONE + f"10 IN PTR {MAIL_HOST}.\n")
        host.output("mkdir -p /run/named && chown bind /run/named && named -u bind")
        host.write("/etc/resolv.conf", f"nameserver 127.0.0.1\nsearch {DOMAIN}\n")
        host.write("/etc/hosts", "127.0.0.1 localhost\n")
        host.write("/etc/rsyslog.conf", _RSYSLOG_CONF)
        host.output("rsyslogd")
        for name, password in USERS.items():
            host.output(f"useradd --create-home --shell /bin/bash {name}")
            host.output("chpasswd", content=f"{name}:{password}\n")
    except BaseException:
        host.end()
        raise
    return host
