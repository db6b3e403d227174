"""IMAP's grammar: fragments.py cuts it into commands, *_grammar.py read them, server.py keeps their order.

command_order.py is the table of what may come when.
"""
