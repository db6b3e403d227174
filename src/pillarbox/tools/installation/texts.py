"""Files that an installation writes where there are none yet: configuration, units of systemd, scripts of init."""

from typing import Final

MAIN_CF: Final = """\
# Settings of the MTA: Postfix's grammar and parameters.  `postconf -e name=value` edits this file, `postconf -d`
# shows the defaults, `postfix reload` makes changes effective.
compatibility_level = 3.6

# Names of this host and of the domain whose mail it takes; who may listen.
#myhostname = mail.example.com
#mydomain = example.com
#myorigin = $mydomain
#mydestination = $myhostname, localhost.$mydomain, localhost, $mydomain
inet_interfaces = loopback-only

# Where mail of the users goes: a Maildir in their home directories, which POP3 and IMAP read.
home_mailbox = Maildir/

alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
"""

MASTER_CF: Final = """\
# Services of the MTA: Postfix's grammar.
# service type  private unpriv  chroot  wakeup  maxproc command + args
smtp      inet  n       -       n       -       -       smtpd
#submission inet n      -       n       -       -       smtpd
#  -o syslog_name=postfix/submission
#  -o smtpd_tls_security_level=encrypt
#  -o smtpd_sasl_auth_enable=yes
#  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
#submissions inet n     -       n       -       -       smtpd
#  -o syslog_name=postfix/submissions
#  -o smtpd_tls_wrappermode=yes
#  -o smtpd_sasl_auth_enable=yes
#  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
flush     unix  n       -       n       1000?   0       flush
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
  -o syslog_name=postfix/$service_name
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
lmtp      unix  -       -       n       -       -       lmtp
postlog   unix-dgram n  -       n       -       1       postlogd
"""

ALIASES: Final = "postmaster: root\n"

DOVECOT_CONF: Final = """\
# Settings of the mailbox half: Dovecot's grammar.  `doveadm reload` makes changes effective.
protocols = imap pop3
mail_location = maildir:~/Maildir
ssl = no
passdb {
  driver = pam
}
userdb {
  driver = passwd
}
"""

PAM_DEBIAN: Final = "@include common-auth\n@include common-account\n@include common-session\n"
PAM_PLAIN: Final = "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_unix.so\n"

_UNIT: Final = """\
[Unit]
Description={description}
Documentation=man:{original}(1)
After=network-online.target nss-lookup.target
Wants=network-online.target
{conflicts}
[Service]
Type=notify
NotifyAccess=main
ExecStart={start}
ExecReload=/bin/kill -HUP $MAINPID
KillMode=mixed
TimeoutStopSec=30
Restart=on-failure
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""


def unit(original: str, description: str, *, start: str, own_name: bool) -> str:
    """A unit for systemd.  One with a name of its own cannot run while the original's does.

    Whichever is started, the other has stopped before (systemd.unit(5), Conflicts= and After=): both lock the same
    files.  Debian's postfix.service does nothing by itself, its instances postfix@.service do.
    """
    conflicts = (
        f"Conflicts={original}.service\nAfter={original}.service {original}@-.service\n" if own_name else ""
    )
    return _UNIT.format(description=description, original=original, conflicts=conflicts, start=start)


_INIT_SCRIPT: Final = """\
#!/bin/sh
### BEGIN INIT INFO
# Provides:          {provides}
# Required-Start:    $local_fs $remote_fs $syslog $named $network $time
# Required-Stop:     $local_fs $remote_fs $syslog $named $network
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: {description}
### END INIT INFO

is_running() {{
    {is_running}
}}

case "$1" in
start)
    is_running || {start}
    ;;
stop)
    ! is_running || {stop}
    ;;
restart)
    "$0" stop && "$0" start
    ;;
reload|force-reload)
    {reload}
    ;;
status)
    if is_running; then
        echo "{name} is running."
    else
        echo "{name} is not running."
        exit 3
    fi
    ;;
*)
    echo "Usage: $0 {{start|stop|restart|reload|force-reload|status}}" >&2
    exit 2
    ;;
esac
"""
_INIT_COMMANDS: Final = {
    "postfix": {
        "provides": "{name} mail-transport-agent",
        "is_running": "{sbin}/postfix status 2>/dev/null",
        "start": "{sbin}/postfix start",
        "stop": "{sbin}/postfix stop",
        "reload": "{sbin}/postfix reload",
    },
    "dovecot": {
        "provides": "{name}",
        "is_running": 'kill -0 "$(cat "$({bin}/doveconf -h base_dir)/master.pid" 2>/dev/null)" 2>/dev/null',
        "start": "{sbin}/dovecot",
        "stop": "{sbin}/dovecot stop",
        "reload": "{sbin}/dovecot reload",
    },
}


def init_script(original: str, name: str, description: str, *, prefix: str) -> str:
    """A script for /etc/init.d: what `service NAME start` runs where there is no systemd.

    Exit statuses are those of the Linux Standard Base: 0 also for a start of what runs and a stop of what does not,
    2 for arguments that are none, 3 for the status of what does not run.
    """
    words = {"name": name, "sbin": f"{prefix}/sbin", "bin": f"{prefix}/bin"}
    commands = {what: command.format(**words) for what, command in _INIT_COMMANDS[original].items()}
    return _INIT_SCRIPT.format(name=name, description=description, **commands)
