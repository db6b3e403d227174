"""What qmgr(8) does: messages taken up, sent where they go, and what comes of them.

manager.py is the whole, dispatcher.py makes jobs of a message, *_transport.py have them done, aftermath.py
decides what is left; doors.py has the sockets of pickup, showq, flush and verify.
"""
