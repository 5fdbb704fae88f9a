"""Where the parts of the live view are, in Textual's CSS. The colours are those of the terminal."""

from __future__ import annotations

LAYOUT = """
Screen { background: ansi_default; layout: vertical; }
#tabs, #header, #footer { height: 1; }
#events { height: 1fr; }
#ask { display: none; height: 1; border: none; padding: 0; background: ansi_default; }
LinesScreen { background: ansi_default; }
#page { height: 100%; }
Picker { align: center middle; }
#picker { width: 40; max-width: 100%; max-height: 80%; height: auto; }
"""
