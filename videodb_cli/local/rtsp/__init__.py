"""Our own RTSP server: recorders publish each channel to it, `ingest` and players read from it. TCP only."""
