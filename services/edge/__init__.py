"""The browser's door: the same API over the Connect protocol, and the app beside it."""
