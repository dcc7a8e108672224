"""What the disclosure service remembers: schema `disclosure`."""
