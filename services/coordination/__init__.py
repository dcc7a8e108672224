"""Coordination: what is due when, and who learns of it. It follows disclosure and adds nothing secret."""
