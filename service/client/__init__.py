"""Calls the REST surface from Python. Users, and the command line, import it as `anabranch.client` (`public.py`)."""
