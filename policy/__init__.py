"""The policy as a reviewed artefact: the model, what it allows as a table, and proof that its tests bite."""
