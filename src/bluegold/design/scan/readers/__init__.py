"""Readers turn one kind of file into signals; which reader takes which file is one table in `table.py`."""
