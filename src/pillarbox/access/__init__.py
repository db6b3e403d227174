"""Who may do what in an SMTP session: Postfix's restriction lists, access tables, block lists and policy services.

restrictions.py decides word by word, by the rules of the *_checks.py; decisions.py says which lists are asked at
which stage; question.py has what they are asked and may answer.
"""
