"""One servicer for each class of caller; each method names the use case that serves it."""
