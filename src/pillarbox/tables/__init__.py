"""Lookup tables: `type:name`, asked for a key.

table.py says what one promises, opening.py opens one by its type; each *_table.py is a type.
"""
