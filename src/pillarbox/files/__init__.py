"""The file system as a parameter, what makes files last, and who is told of changes.

file_system.py has the calls; fsync_batch.py and write_order.py make them last; inotify.py tells of changes.
"""
