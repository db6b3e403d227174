"""The parameters of main.cf that are served, a group in each module (config/postfix_parameters.py lists them)."""
