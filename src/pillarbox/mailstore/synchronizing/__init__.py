"""Two places of a user's mail are made the same (doveadm backup and sync).

account_exchange.py does an account, merging.py plans a mailbox, exchange.py does it; place.py is one end.
"""
