"""A place of a user's mail here and one behind a stream of octets are made the same (dsync).

brain.py leads, mailbox_exchange.py does a mailbox; conversation.py knows the octets.
"""
