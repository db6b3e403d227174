"""Logins by tokens of OAuth 2.0: who is asked about them, and what has to be in the answer."""
