"""An SMTP session: what each command does before a message is in the queue.

session.py is the loop, session_state.py what all commands know, policy.py what the settings say, transaction.py
the message.
"""
