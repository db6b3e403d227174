"""doveconf(1) beside Debian's: the same configurations, the same lines.

Only the two lines with the version, which say who is speaking, are left out of the comparison.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.tutorial_host import SOCKETS_FOR_POSTFIX

pytestmark = [pytest.mark.system, pytest.mark.peer("dovecot")]

TUTORIAL = (
    """
protocols = imap pop3 lmtp
listen = *
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:~/Maildir
mail_privileged_group = mail
ssl = no
namespace inbox {
  inbox = yes
  separator = /
  mailbox Drafts {
    special_use = \\Drafts
  }
  mailbox Sent {
    auto = subscribe
    special_use = \\Sent
  }
  mailbox "Sent Messages" {
    special_use = \\Sent
  }
}
passdb {
  driver = pam
}
userdb {
  driver = passwd
}
"""
    + SOCKETS_FOR_POSTFIX
)
VIRTUAL = """
protocols = imap lmtp
auth_failure_delay = 4s
auth_cache_size = 10240k
auth_cache_ttl = 24 hours
auth_verbose = Yes
auth_default_realm = example.org
mail_home = /var/vmail/%d/%n
mail_location = maildir:/var/vmail/%d/%n/Maildir:INDEX=MEMORY
mail_uid = vmail
mail_gid = vmail
first_valid_uid = 100
mail_max_userip_connections = 20
mail_plugins = $mail_plugins quota
login_greeting = "Hello # there"
ssl_cert = </etc/ssl/certs/mail.pem
ssl_key = </etc/ssl/private/mail.key
ssl_key_password = secret
ssl_min_protocol = TLSv1.3
passdb {
  driver = passwd-file
  args = scheme=SHA512-CRYPT username_format=%u /etc/dovecot/users
  default_fields = x=y
}
passdb pam {
  driver = pam
  deny = no
}
userdb {
  driver = static
  args = uid=vmail gid=vmail home=/var/vmail/%d/%n
}
namespace {
  prefix = x/
  separator = /
  hidden = no
}
namespace inbox {
  inbox = yes
  type = private
  mailbox Trash {
    auto = create
    autoexpunge = 30d
  }
}
plugin {
  quota = maildir:User quota
  quota_rule = *:storage=1G
  sieve = ~/.dovecot.sieve
  empty =
}
dict {
  a = b
}
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = 993
    ssl = yes
  }
  service_count = 0
  process_min_avail = 2
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
service auth {
  unix_listener auth-userdb {
    mode = 0600
    user = vmail
  }
  user = $default_internal_user
}
"""
FILTERED = """
protocols = imap pop3
login_greeting = one \\
  two
mail_debug = no
protocol imap {
  mail_max_userip_connections = 50
  mail_plugins = $mail_plugins imap_quota
}
protocol !pop3 {
  mail_debug = no
}
protocol lmtp {
  postmaster_address = a@example.org
}
remote 10.0.0.0/8 {
  disable_plaintext_auth = no
}
local 192.0.2.1 {
  ssl = required
  protocol pop3 {
    ssl_min_protocol = TLSv1.3
  }
}
local_name mx.example.org {
  ssl_cert = </etc/ssl/certs/mx.pem
}
"""
CONFIGURATIONS = {
    "tutorial": TUTORIAL,
    "virtual users": VIRTUAL,
    "filters": FILTERED,
    "nothing": "listen = ::\n",
}
QUESTIONS = [
    ["-n"],
    ["-a"],
    ["-d"],
    ["-N"],
    ["-n", "-P"],
    ["mail_location", "listen", "protocols"],
    ["-h", "mail_location"],
    ["-f", "protocol=imap", "mail_plugins", "mail_max_userip_connections"],
    ["-f", "service=lmtp", "-h", "postmaster_address"],
    ["passdb"],
    ["namespace/inbox"],
    ["service/auth"],
    ["plugin"],
    ["plugin/quota"],
    ["service/imap-login/inet_listener/imap/port"],
    ["nosuch"],
]
MORE_QUESTIONS = {
    "virtual users": """
-n -s
-n -x
-s
-x auth_failure_delay
ssl_cert
ssl_key_password
-h ssl_key_password
-P ssl_key_password
-h auth_failure_delay auth_verbose
nosuch auth_verbose
-h plugin/quota
plugin/nosuch
namespace
namespace/inbox/inbox
namespace/inbox/mailbox
namespace/inbox/mailbox/Trash/auto
service
service/imap-login
service/imap-login/inet_listener
-h service/imap-login/service_count
passdb/args
userdb
dict
protocol
-d auth_failure_delay
-n auth_failure_delay
-d -n auth_failure_delay
-d -n
-n service
-n service/imap-login
-n passdb
-p auth_failure_delay
-e
-a auth_failure_delay
mail_cache_min_mail_count
mail_plugins protocols
-m imap
-n -m imap
-m auth
-m imap-login
-m nosuch
-m imap -h pop3_uidl_format
-e true
-e false
-f protocol=imap -e nosuchcommand -c x
-q
-f
""",
    "filters": """
-n -f protocol=imap
-n -f protocol=pop3
-a -f protocol=lmtp
-f service=imap mail_max_userip_connections
-f protocol=pop3 mail_debug
-f protocol=imap mail_debug
-f nosuch=imap mail_debug
-f protocol mail_debug
-f rip=10.0.0.1 login_greeting
-f lip=10.0.0.1 login_greeting
-f remote=10.0.0.1 login_greeting
-f local_name=mx.example.org ssl_cert
-f lname=mx.example.org ssl_cert
-f protocol=imap -f lip=1.2.3.4 mail_plugins
-n -m imap
-n -m pop3
-m lmtp
-m lda
-n -m ssl
-m doveadm
-m dict
-m submission
-N -m imap
protocol
protocol/imap
-n -s
""",
}
DIFFERENCES = {
    line.partition(" | ")[0]
    for line in Path(__file__).with_name("doveconf_differences.txt").read_text().split("\n")
    if line and not line.startswith("#")
}
REFUSED = [
    "foo = 1\n",
    "service imap-login {\n  foo = 1\n}\n",
    "service x\n{\n}\n",
    "}\n",
    "mail_debug = maybe\n",
    "auth_failure_delay = 5\n",
    "auth_failure_delay = 5 parsecs\n",
    "mail_max_userip_connections = x\n",
    "auth_cache_size = 10X\n",
    "ssl = maybe\n",
    "service x { executable = y }\n",
    "service x y {\n}\n",
    "protocol imap {\n protocol pop3 {\n }\n}\n",
    "!include nosuch.conf\n",
    "foo {\n}\n",
    "service a {\n foo {\n}\n}\n",
    "namespace inbox {\n mailbox x {\n foo = 1\n }\n}\n",
    "service lmtp {\n inet_listener a {\n port = 99999\n }\n}\n",
    "login_greeting x = y\n",
    "auth_failure_delay = 99999999999s\n",
    "login_proxy_timeout = 100 weeks\n",
    "auth_cache_size = 99999999999999999999\n",
    "ssl = $nosuch\n",
    "listen =\n",
    "ssl_options = no_ticket frob\n",
    "local 192.0.2.1 {\n ssl_options = frob\n}\n",
    "ssl_verify_client_cert = yes\n",
    "last_valid_uid = 100\n",
    "default_login_user = nosuchuser\n",
    "syslog_facility = news2\n",
    "auth_verbose_passwords = plain:x\n",
    "lmtp_client_workarounds = frob\n",
    "pop3_uidl_format = x\n",
    "service auth {\n process_limit = 2\n}\n",
    "service lmtp {\n type = frob\n}\n",
    "namespace {\n mailbox X {\n special_use = \\Foo\n }\n}\n",
    "mail_nfs_index = yes\nmmap_disable = yes\n",
]
OBSOLETE = """
protocols = imap imaps pop3s
auth_cache_size = 10
auth_count = 1
auth_process_size = 64
ssl_protocols = !SSLv3
ssl_dh_parameters_length = 2048
ssl_disable = no
ssl_cert_file = /etc/ssl/certs/mail.pem
login_dir = /run/dovecot/login
login_processes_count = 5
login_process_per_connection = no
login_chroot = yes
mail_process_size = 128
max_mail_processes = 512
fsync_disable = yes
imap_client_workarounds = outlook-idle delay-newmail
sieve = ~/.dovecot.sieve
dbox_rotate_size = 5M
login_greeting = $nosuch x
protocol pop3 {
  ssl_protocols = TLSv1.1 TLSv1.2
  mail_executable = /usr/local/bin/pop3
}
"""
"""What was right in Dovecot 1 and 2.2; and a variable that only a start looks for."""
OURS = [sys.executable, "-m", "pillarbox.tools.doveconf"]
THEIRS = ["/usr/bin/doveconf"]


def asked(program: list[str], path: Path, *arguments: str) -> tuple[list[str], list[str], int]:
    """What a doveconf prints: its lines but the version, its complaints, and its exit status."""
    done = subprocess.run(
        [*program, "-c", str(path), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
    )
    lines = [line for line in done.stdout.split("\n") if not line.startswith(("# 2.3", "# Pigeonhole"))]
    complaints = re.sub(r"^\S*doveconf(\.py)?: ", "doveconf: ", done.stderr, flags=re.MULTILINE)
    return lines, complaints.split("\n"), done.returncode


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_is_shown_alike(name: str, tmp_path: Path) -> None:
    """Every question about it has the same answer."""
    path = tmp_path / "dovecot.conf"
    path.write_text(CONFIGURATIONS[name])
    for question in QUESTIONS:
        assert asked(OURS, path, *question) == asked(THEIRS, path, *question), question


@pytest.mark.parametrize("name", MORE_QUESTIONS)
def test_what_is_asked_rarely(name: str, tmp_path: Path) -> None:
    """Options together, filters, sections; the listed differences are differences."""
    path = tmp_path / "dovecot.conf"
    path.write_text(CONFIGURATIONS[name])
    for line in filter(None, MORE_QUESTIONS[name].split("\n")):
        ours, theirs = (asked(program, path, *line.split()) for program in (OURS, THEIRS))
        assert (ours == theirs) is (line not in DIFFERENCES), (line, ours, theirs)


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("options", ["-S", "-d -S"])
def test_settings_for_programs(name: str, options: str, tmp_path: Path) -> None:
    """-S: the same settings.  Dovecot's are in the order in which its programs know them."""
    path = tmp_path / "dovecot.conf"
    path.write_text(CONFIGURATIONS[name])
    ours, theirs = (
        sorted(
            f"{setting}={' '.join(sorted(value.split(' ')))}"
            for setting, _, value in (
                line.partition("=") for line in asked(program, path, *options.split())[0]
            )
        )
        for program in (OURS, THEIRS)
    )
    assert ours == theirs
    assert len(ours) > 1000


def test_commands_have_the_settings_in_their_environment(tmp_path: Path) -> None:
    """-e: those that are set, and not the services that Dovecot has by itself."""
    path = tmp_path / "dovecot.conf"
    path.write_text(
        'protocols = imap\nmail_location = maildir:~/M\nlogin_greeting = "a  b"\nmail_plugins = $mail_plugins acl\n'
        "plugin {\n acl = vfile\n}\nnamespace inbox {\n inbox = yes\n mailbox Sent {\n auto = create\n }\n}\n"
        "protocol imap {\n mail_plugins = $mail_plugins quota\n}\n"
    )
    found = []
    for program in (OURS, THEIRS):
        lines, _, status = asked(program, path, "-f", "protocol=imap", "-e", "sh", "-c", "env; exit 7")
        assert status == 7
        found.append(sorted(line for line in lines if line.startswith(_OF_SETTINGS)))
    assert found[0] == found[1]
    assert "MAIL_PLUGINS= acl quota" in found[0]


_OF_SETTINGS = ("DOVECONF_", "LOGIN_", "MAIL_", "NAMESPACE", "PLUGIN", "PROTOCOLS")


def test_debians_own_configuration_is_shown_alike() -> None:
    """/etc/dovecot with all that it includes."""
    path = Path("/etc/dovecot/dovecot.conf")
    for question in (["-n"], ["-a"], ["service/lmtp"], ["namespace"]):
        assert asked(OURS, path, *question) == asked(THEIRS, path, *question), question


def test_old_names_are_read_as_those_of_today(tmp_path: Path) -> None:
    """With the same warnings."""
    path = tmp_path / "dovecot.conf"
    path.write_text(OBSOLETE)
    for question in (["-n"], ["ssl_min_protocol"]):
        ours = asked(OURS, path, *question)
        assert ours == asked(THEIRS, path, *question), question
        assert len(ours[1]) > 15


@pytest.mark.parametrize("text", REFUSED)
def test_mistakes_are_told_alike(text: str, tmp_path: Path) -> None:
    """The same line on standard error, the same exit status."""
    path = tmp_path / "dovecot.conf"
    path.write_text(text)
    _, complaints, status = asked(OURS, path, "-n")
    assert (complaints, status) == asked(THEIRS, path, "-n")[1:]
    assert status == 89
