"""SMTP's grammar: server.py and client.py are the two ends, commands.py and replies.py what they say.

command_grammar.py reads commands, command_order.py says when they may come.
"""
