"""What the embedded service knows, in memory."""
