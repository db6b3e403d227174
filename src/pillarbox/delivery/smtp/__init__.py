"""smtp(8) and lmtp(8): a message from its queue file to another host.

delivery.py does a job: destination.py, mail_exchangers.py, session_opening.py, then transaction.py for each
message; tls_policy.py and dane_policy.py say how much TLS there has to be.
"""
