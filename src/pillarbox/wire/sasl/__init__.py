"""SASL mechanisms: the server's side (steps.py says what an exchange comes to); client.py is the other end."""
