"""The commands of doveadm(1), a module for each group.

accounts.py has what all that work on mailboxes share, options.py their options, output.py what they print.
"""
