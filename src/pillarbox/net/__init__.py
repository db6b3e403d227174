"""Connections, TLS, the DNS, and channels between processes.

listeners.py accepts, connection.py is one connection; channel.py carries frames between processes; startup.py
and handover.py say what supervisors, logins and workers hand each other.
"""
