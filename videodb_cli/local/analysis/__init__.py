"""Analysers on the device: speech to transcripts, screen to text. Each is honest about the model behind it."""

from __future__ import annotations

import os

# onnxruntime 1.32 reports its use to its maker, and leaves a session file in the temporary directory, unless it is told
# not to before it is imported. What runs here says nothing to anybody.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
