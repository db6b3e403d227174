"""An IMAP session: what each command does with a mailbox.

session.py is the loop, conversation.py what all commands know, command_table.py which function does which
command.
"""
