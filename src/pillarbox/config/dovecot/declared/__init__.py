"""All settings and blocks that dovecot.conf may have, as text that config/dovecot/schema.py reads."""
