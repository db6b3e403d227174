"""The scenarios of the lab, by subject; lab/catalogue.py lists them."""
