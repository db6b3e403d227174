"""The halves: what runs, and is started again, replaced at a reload and stopped.

half.py says what there is, supervisor.py brings what runs into line with it; postfix_master.py and
dovecot_master.py are the two, main.py is `pillarbox run`.
"""
