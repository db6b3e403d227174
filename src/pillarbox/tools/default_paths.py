"""Where commands look if they are not told."""

from typing import Final

POSTFIX_DIRECTORY: Final = "/etc/postfix"
MAIN_CF: Final = f"{POSTFIX_DIRECTORY}/main.cf"
DOVECOT_CONF: Final = "/etc/dovecot/dovecot.conf"
DOVEADM: Final = "/usr/bin/doveadm"
"""Dovecot's, not ours."""
