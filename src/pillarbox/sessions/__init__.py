"""What a server decides between the wire and the stores: smtp/, imap/, pop3_session.py, lmtp_session.py."""
