"""What a message's file holds: packed or not, small or huge; message_files.py opens any."""
