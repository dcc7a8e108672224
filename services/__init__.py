"""The services of Meldbrug: an application, started by `python -m services`, never published."""
