"""What coordination does, one module per kind of caller."""
