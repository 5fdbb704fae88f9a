"""Selects events and formats them."""
