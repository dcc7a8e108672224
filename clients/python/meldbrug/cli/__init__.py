"""The `meldbrug` command: one program for reporters, handlers, readers and admins."""
