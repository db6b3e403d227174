"""The doveadm service: doveadm's commands for whoever knows the password, by Dovecot's protocol or by HTTP."""
