"""Agents that deliver: into Maildirs and mbox files, to commands, and (smtp/) to other hosts.

request.py is what they are asked and what they answer, agents.py how others reach them; mailbox_delivery.py does
virtual(8)'s work, local/ local(8)'s, pipe.py pipe(8)'s.
"""
