"""An internet on loopback with hosts and a DNS that fail, and a Pillarbox inside it.

lab.py runs scenarios (scenario.py, catalogue.py); mail_host.py and name_server.py are the others; verdict.py
compares.
"""
