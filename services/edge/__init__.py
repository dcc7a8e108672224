"""What browsers talk to: the same API over the Connect protocol, and the app beside it."""
