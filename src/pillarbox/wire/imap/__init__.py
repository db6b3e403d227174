"""IMAP's grammar: fragments.py cuts it into commands, *_grammar.py read them, server.py keeps their order."""
