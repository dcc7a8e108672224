"""States, clocks and what each kind of caller sees; pure."""
