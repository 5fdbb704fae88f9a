"""Analysers on the device: speech to transcripts, screen to text. Each is honest about the model behind it."""
