"""Mailboxes: what they promise, and what keeps them.

mailbox.py has the Protocols, mailbox_values.py what goes in and comes out; maildir/ keeps them in files, memory/
without, for tests; view.py is what a session sees of one, deliver.py the one function that delivers.
docs/architecture.md says what the other rooms are.
"""
