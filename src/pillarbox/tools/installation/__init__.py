"""`pillarbox install` and `uninstall`: installer.py, and what it knows of packages and files."""
