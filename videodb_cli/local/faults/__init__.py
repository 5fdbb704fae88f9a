"""Misbehaviour on demand, for testing clients."""
