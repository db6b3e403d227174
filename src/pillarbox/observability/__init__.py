"""What happens, as facts (events.py), and as log lines of Postfix and Dovecot (log_lines.py, log_file.py)."""
