"""What the disclosure service does, command by command, and in which order things are checked."""
