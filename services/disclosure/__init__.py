"""The disclosure service: sealed content, consents and openings; the only one from which sealed bytes leave."""
