"""The demo's sample: a video of 40 s with speech and readable text, and the ground truth of both.

Text and pictures are ours, the voice is synthetic; ``scripts/make_sample.py`` makes both files. ``sample.json`` holds
``spoken_text``, ``speech`` (sentences with their seconds) and ``screens`` (lines of text with their seconds).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

VIDEO: Final = Path(__file__).with_name("sample.mp4")
GROUND_TRUTH: Final = Path(__file__).with_name("sample.json")
