"""Media in: a source played in real time into HLS, a fragmented MP4 and the analysers."""
