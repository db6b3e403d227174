"""Users: whether a password is right, and what a user's mail account needs.

user_database.py says what a passdb and a userdb promise; password_chain.py and account_chain.py ask all that a
configuration has; server.py is what an authentication server does with them, client.py asks one.
"""
