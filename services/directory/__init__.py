"""The directory: organisations, people, systems, keys, productions and roles, with what vouches for them."""
