"""Backs the database up, and brings a backup back without what was closed since.

`dump` makes a backup, `restore` brings it back, `programs` runs PostgreSQL's own tools.
"""
