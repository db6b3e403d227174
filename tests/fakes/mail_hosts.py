"""Hosts with other people's mail servers on them: Debian's Postfix, exim4, OpenSMTPD; and with ours.

Each takes mail for its own domain over SMTP with TLS, delivers it to ~alice/Maildir, and sends mail of local clients
to other domains by their MX records, over TLS only.  exim4 and OpenSMTPD, which Debian lets nobody install beside
Postfix, are unpacked inside the host from packages that scripts/install-peers has fetched.
"""

from pathlib import Path
from typing import Final

from fakes.host import PACKAGED, Host
from fakes.network import Network
from fakes.pillarbox_host import INSTALLED, install

PACKAGES: Final = Path("/var/cache/pillarbox-peers")
LOGIN: Final = ("relayuser", "a secret: with colon")

_MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.{name}.test
mydomain = {name}.test
myorigin = $mydomain
mydestination = $myhostname, $mydomain
inet_protocols = ipv4
home_mailbox = Maildir/
alias_maps =
alias_database =
mailbox_command =
maillog_file = /var/log/mail.log
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/mail.pem
smtpd_tls_key_file = /etc/mail.key
smtpd_tls_received_header = yes
smtp_tls_security_level = encrypt
smtp_tls_loglevel = 1
"""
_EXIM: Final = """\
primary_hostname = mail.{name}.test
domainlist local_domains = {name}.test : mail.{name}.test
hostlist relay_from_hosts = 127.0.0.1
daemon_smtp_ports = 25 : 587
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
tls_advertise_hosts = *
tls_certificate = /etc/mail.pem
tls_privatekey = /etc/mail.key
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
log_file_path = /var/log/exim4/%slog
host_lookup =
rfc1413_query_timeout = 0s
never_users = root
begin acl
acl_rcpt:
  accept domains = +local_domains
         condition = ${{if eq{{$received_port}}{{25}}}}
         verify = recipient
  accept hosts = +relay_from_hosts
  accept authenticated = *
         encrypted = *
  deny message = relay not permitted
acl_data:
  accept
begin routers
dnslookup:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
  no_more
localuser:
  driver = accept
  check_local_user
  transport = local_delivery
begin transports
remote_smtp:
  driver = smtp
  hosts_require_tls = *
local_delivery:
  driver = appendfile
  directory = $home/Maildir
  maildir_format
  delivery_date_add
begin retry
* * F,2h,15m
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
"""
_OPENSMTPD: Final = """\
pki mail.{name}.test cert "/etc/mail.pem"
pki mail.{name}.test key "/etc/mail.key"
listen on lo inet4 port 25
listen on eth0 inet4 port 25 tls pki mail.{name}.test hostname mail.{name}.test
action "local" maildir
action "out" relay tls no-verify helo mail.{name}.test
match from any for domain "{name}.test" action "local"
match from local for any action "out"
"""


def mail_host(network: Network, kind: str, name: str, number: int, *, settings: str = "") -> Host:
    """A running host of NAME.test; `settings` are added to main.cf, where there is one."""
    host = network.host(f"mail.{name}.test", number, path=INSTALLED if kind == "pillarbox" else PACKAGED)
    host.output("useradd --create-home alice")
    _certificate(host, f"mail.{name}.test")
    {"pillarbox": _postfix, "postfix": _postfix, "exim4": _exim, "opensmtpd": _opensmtpd}[kind](
        host, kind, name, settings
    )
    host.until_answers(25)
    return host


def _certificate(host: Host, name: str) -> None:
    """A key and a certificate that nobody knows."""
    host.output(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout /etc/mail.key -out /etc/mail.pem "
        f"-subj /CN={name} -addext subjectAltName=DNS:{name} 2>/dev/null"
    )


def _postfix(host: Host, kind: str, name: str, settings: str) -> None:
    if kind == "pillarbox":
        install(host)
    host.write("/etc/postfix/main.cf", _MAIN_CF.format(name=name) + settings)
    if kind == "postfix":
        host.output("cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf")
        host.output(r"sed -i 's/^#\(postlog  *unix-dgram\)/\1/' /etc/postfix/master.cf")
        host.output("postconf -F '*/*/chroot = n' && /usr/lib/postfix/configure-instance.sh -")
    host.start_postfix()


def _unpack(host: Host, *packages: str) -> None:
    for package in packages:
        host.output(f"dpkg-deb -x {PACKAGES}/{package}_*.deb /tmp/{package}")
        host.output(f"cp -a /tmp/{package}/usr/. /usr/")


def _exim(host: Host, _kind: str, name: str, _settings: str) -> None:
    _unpack(host, "exim4-base", "exim4-daemon-light")
    host.output("useradd --system --home-dir /var/spool/exim4 Debian-exim")
    host.output(
        "mkdir -p /var/spool/exim4 /var/log/exim4 && chown Debian-exim: /var/spool/exim4 /var/log/exim4"
    )
    host.output("chmod 644 /etc/mail.key; chmod u+s /usr/sbin/exim4")
    user, password = LOGIN
    host.write("/etc/exim4/exim4.conf", _EXIM.format(name=name, user=user, password=password))
    host.output("/usr/sbin/exim4 -bd -q5m")


def _opensmtpd(host: Host, _kind: str, name: str, _settings: str) -> None:
    _unpack(host, "opensmtpd")
    for user in ("opensmtpd", "opensmtpq"):
        host.output(f"useradd --system --home-dir /var/lib/opensmtpd/empty --shell /usr/sbin/nologin {user}")
    host.output(
        "mkdir -p /var/lib/opensmtpd/empty && chmod 711 /var/lib/opensmtpd && chmod 600 /etc/mail.key"
    )
    host.output(f"echo mail.{name}.test > /etc/mailname")
    host.write("/etc/smtpd.conf", _OPENSMTPD.format(name=name))
    host.output("setsid /usr/sbin/smtpd -d -v </dev/null >/var/log/smtpd.log 2>&1 &")
