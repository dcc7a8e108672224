"""The tables of schema `coordination` and what is read from and written to them."""
