"""The ffmpeg child that captures and publishes one channel."""
