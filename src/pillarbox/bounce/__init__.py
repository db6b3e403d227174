"""Notices to senders and to postmaster of what became of a message.

notification.py composes them by templates.py; submission.py queues them.
"""
