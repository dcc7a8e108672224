"""Meldbrug: wire types, sealing and the client."""
