"""The parameters of main.cf that are known and not served, and why (config/unserved_parameters.py reads them)."""
