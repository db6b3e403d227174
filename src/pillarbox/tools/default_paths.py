"""Where commands look if they are not told."""

from typing import Final

MAIN_CF: Final = "/etc/postfix/main.cf"
DOVECOT_CONF: Final = "/etc/dovecot/dovecot.conf"
DOVEADM: Final = "/usr/bin/doveadm"
"""Dovecot's, not ours."""
