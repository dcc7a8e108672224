"""Measures what `docs/performance.md` reports, side by side in one run on the real stack."""
