"""Selecting events and giving them the form that was asked for."""
