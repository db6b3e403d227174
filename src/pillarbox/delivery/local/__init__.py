"""local(8): aliases, .forward files, commands, mailboxes of system users.

expansion.py decides what a recipient comes to and asks agent_work.py, with a user's rights, for what needs them;
frames.py is what the two say to each other.
"""
