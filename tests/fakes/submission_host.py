"""A tutorial's host that also takes submissions: port 587 with STARTTLS, port 465, Dovecot's SASL, TLS everywhere."""

from typing import Final

from fakes.host import Host
from fakes.postfix_services import MASTER_CF
from fakes.tutorial_host import DOVECOT_CONF, MAIN_CF

SERVICES: Final = """\
587 inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
465 inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
"""
"""Of master.cf, behind what stands there."""
_MAIN_CF: Final = f"""\
{MAIN_CF}
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_tls_cert_file = /etc/mail.pem
smtpd_tls_key_file = /etc/mail.key
smtpd_tls_security_level = may
smtpd_discard_ehlo_keywords = requiretls
"""
"""The last line: ours offers REQUIRETLS, which Postfix 3.7 does not know."""
_DOVECOT_CONF: Final = (
    DOVECOT_CONF.replace("ssl = no\n", "ssl = yes\nssl_cert = </etc/mail.pem\nssl_key = </etc/mail.key\n")
    + """\
auth_mechanisms = plain login
auth_failure_delay = 0
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
"""
)


def start_submission(host: Host, product: str, *, services: str = SERVICES) -> None:
    """The mail system of a bare host of the `product`, until it answers on all of its ports."""
    host.output(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=mail.tutorial.test "
        "-keyout /etc/mail.key -out /etc/mail.pem 2>/dev/null"
    )
    host.write("/etc/postfix/main.cf", _MAIN_CF)
    host.write("/etc/postfix/master.cf", MASTER_CF + services)
    host.write("/etc/dovecot/dovecot.conf", _DOVECOT_CONF)
    host.write("/etc/aliases", "postmaster: alice\n")
    host.output("postalias /etc/aliases")
    if product == "original":
        host.output("/usr/lib/postfix/configure-instance.sh -")
    host.output("dovecot")
    host.start_postfix()
    for port in (25, 110, 143, 465, 587, 993, 995):
        host.until_answers(port)
