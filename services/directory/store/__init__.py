"""The directory's memory: PostgreSQL, schema `directory`. Every function takes the transaction it runs in."""
