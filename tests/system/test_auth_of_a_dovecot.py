"""Our SMTP server asks a real Dovecot for passwords, over Dovecot's authentication protocol."""

import smtplib
import subprocess
from collections.abc import Iterator

import pytest

from fakes.logs import until_logged
from fakes.mail_system import PATIENCE, PATIENT_WITH_GUESSERS, MailSystem, until
from system.conftest import new_system

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot", "smtplib")]

CONFIGURATION = """\
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-256
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {base}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service auth {{
  unix_listener {socket} {{
    mode = 0600
    user = postfix
  }}
}}
"""


@pytest.fixture
def system() -> Iterator[MailSystem]:
    """Pillarbox as root, its smtpd_sasl_path a socket of Dovecot's."""
    system = new_system("root")
    base = system.root / "dovecot"
    base.mkdir()
    configuration = base / "dovecot.conf"
    try:
        system.make_home()
        socket = system.data / "spool" / "private" / "dovecot-auth"
        (base / "users").write_text("remote@example.org:other secret\n")
        text = CONFIGURATION.format(base=base, socket=socket) + PATIENT_WITH_GUESSERS
        configuration.write_text(text)
        subprocess.run(["/usr/sbin/dovecot", "-c", str(configuration)], check=True)
        until(socket.exists, what="Dovecot's socket")
        system.configure(smtpd_sasl_path="private/dovecot-auth", smtpd_sasl_auth_enable="yes")
        system.start()
        yield system
    finally:
        subprocess.run(["/usr/bin/doveadm", "-c", str(configuration), "stop"], check=False)
        system.end()


def test_logins_are_dovecots_to_judge(system: MailSystem) -> None:
    """Its mechanisms are offered, its users get in, others do not."""
    for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
        with smtplib.SMTP("127.0.0.1", system.port("submission"), timeout=PATIENCE) as client:
            client.ehlo()
            assert set(client.esmtp_features["auth"].split()) == {
                "PLAIN",
                "LOGIN",
                "CRAM-MD5",
                "SCRAM-SHA-256",
            }
            client.user, client.password = "remote@example.org", "other secret"
            method = getattr(client, f"auth_{mechanism.lower().replace('-', '_')}")
            assert client.auth(mechanism, method)[0] == 235, mechanism
    with smtplib.SMTP("127.0.0.1", system.port("submission"), timeout=PATIENCE) as client:
        client.ehlo()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("me@pillarbox.test", system.password)
    until_logged(system, "authentication failed")
    assert system.stop() == 0
    assert "did not end" not in system.log()  # the connection to Dovecot, which goes on, keeps nobody
