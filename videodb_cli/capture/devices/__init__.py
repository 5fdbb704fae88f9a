"""What a machine or a media file offers to capture."""
