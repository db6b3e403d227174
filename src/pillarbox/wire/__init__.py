"""Protocols as octets in and values out, and back, for SMTP, LMTP, POP3, IMAP, SASL and others.  No I/O."""
