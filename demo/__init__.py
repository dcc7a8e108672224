"""The demo sector and the story that is played on it, through the public API only."""
