"""The files beside the messages that Dovecot reads and writes, too: uidlist.py is the one that counts."""
