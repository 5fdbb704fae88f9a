"""Replaces secrets, card numbers, e-mail addresses and telephone numbers in what is logged or printed."""
