"""The disclosure service: sealed content, consents, openings; the only one from which sealed bytes leave."""
