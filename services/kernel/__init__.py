"""What every service stands on: the same for all of them, and without a word of the domain."""
