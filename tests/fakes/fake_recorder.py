#!/usr/bin/env python3
"""A stand-in for the official recorder's program: it speaks its protocol on stdin and stdout, and misbehaves on demand.

Environment: ``FAKE_RECORDER_FAULTS`` holds words, each ``fault`` or ``fault@command``:

- ``die@C`` ends when command C comes; ``silent@C`` never answers it; ``nonsense@C`` answers with garbage first;
- ``flood@C`` writes 12 MiB of noise and one line of 17 MiB before the answer; ``big@C`` pads the answer to 15 MiB;
- ``close@C`` closes stdout and lives on; ``deny`` refuses permissions; ``ask`` grants them later; ``busy`` and
  ``token`` refuse to record; ``nostart`` never says recording-started; ``node`` uses the words of the Node SDK;
  ``uploads`` tells of two uploads of each channel, and of no more; ``stubborn`` ignores the end of stdin and all
  signals but KILL; ``dieafter`` ends half a second after the recording began.

``FAKE_RECORDER_LOG`` names a file to which it writes each command as a JSON line, and what ended it.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

PREFIX = "videodb_recorder|"
FAULTS = set(os.environ.get("FAKE_RECORDER_FAULTS", "").split())
LOG = os.environ.get("FAKE_RECORDER_LOG")
CHANNELS = [
    {"channel_id": "mic:default", "type": "audio", "name": "Built-in Microphone"},
    {"channel_id": "mic:usb", "type": "audio", "name": "USB Microphone"},
    {"channel_id": "system_audio:default", "type": "audio", "name": "System Audio (microphone mix)"},
    {"channel_id": "display:1", "type": "video", "name": "Built-in Display"},
    {"channel_id": "camera:0", "type": "video", "name": "FaceTime"},
    {"name": "no id at all"},
]
lock = threading.Lock()
state = {"session": None}


def note(**fields: object) -> None:
    if LOG:
        with Path(LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(fields) + "\n")


def die() -> None:
    note(end="died")
    os._exit(9)


def send(message: dict) -> None:
    with lock:
        sys.stdout.write(PREFIX + json.dumps(message) + "\n")
        sys.stdout.flush()


def event(name: str, **payload: object) -> None:
    send({"type": "event", "event": name, "payload": payload})


def respond(command: dict, result: object, status: str = "success") -> None:
    message = {"type": "response", "commandId": command["commandId"], "status": status, "result": result}
    if f"big@{command['command']}" in FAULTS:
        message["padding"] = "x" * (15 << 20)
    send(message)


def refuse(command: dict, code: str, message: str) -> None:
    respond(command, {"code": code, "message": message}, "error")


def misbehave(name: str) -> bool:
    """Do what the faults say for this command; True if it is not to be answered."""
    if f"die@{name}" in FAULTS:
        sys.stderr.write("fatal: something broke\n")
        sys.stderr.flush()
        note(end="died")
        os._exit(3)
    if f"close@{name}" in FAULTS:
        sys.stdout.flush()
        os.close(1)
        return True
    if f"nonsense@{name}" in FAULTS:
        with lock:
            sys.stdout.write(
                "\x00\x01 garbage\nvideodb_recorder|{not json\nvideodb_recorder|[1,2]\nvideodb_recorder|\n"
            )
            sys.stdout.write('videodb_recorder|{"type":"response","commandId":"unknown","status":"success"}\n')
    if f"flood@{name}" in FAULTS:
        with lock:
            for _ in range(12 * 1024):
                sys.stdout.write("noise " * 170 + "\n")
            sys.stdout.write("videodb_recorder|" + "y" * (17 << 20) + "\n")
        for _ in range(20000):
            sys.stderr.write("stderr noise " * 10 + "\n")
    return f"silent@{name}" in FAULTS


def begin(command: dict) -> None:
    params = command["params"]
    if "busy" in FAULTS:
        refuse(command, "INSTANCE_ALREADY_RUNNING", "another instance is recording")
    elif "token" in FAULTS:
        refuse(command, "INVALID_TOKEN", "the token has expired")
    elif not params.get("channels") or not params.get("uploadToken"):
        refuse(command, "INVALID_CHANNELS", "no channels")
    else:
        state["session"] = params["sessionId"]
        respond(command, {"started": True})
        if "nostart" not in FAULTS:
            event(named("recording-started"), sessionId=params["sessionId"])
        for progress in (0.1, 0.2) if "uploads" in FAULTS else ():
            for channel in params["channels"]:
                event(named("upload-progress"), channelId=channel["channel_id"], progress=progress)
        if "dieafter" in FAULTS:
            threading.Timer(0.5, die).start()


def channels() -> list[dict]:
    """Return what is listed. The Node SDK fails at an entry without an id, so its recorder sends none."""
    if "node" not in FAULTS:
        return CHANNELS
    listed = [channel for channel in CHANNELS if "channel_id" in channel]
    return [{"channel_name" if key == "name" else key: value for key, value in one.items()} for one in listed]


def named(name: str) -> str:
    """Return the name of an event in the words of one SDK or the other."""
    return {"recording-complete": "recording:stopped"}.get(name, name.replace("-", ":")) if "node" in FAULTS else name


def permission(command: dict) -> None:
    name = command["params"].get("permission")
    if name not in {"microphone", "screen-capture"}:
        refuse(command, "INVALID_PERMISSION", str(name))
    elif "deny" in FAULTS:
        respond(command, {"status": "denied"})
    elif "ask" in FAULTS:
        respond(command, {"requested": True})
        threading.Timer(0.2, event, ("permission-status",), {"permission": name, "status": "granted"}).start()
    else:
        respond(command, {"permission_status" if "node" in FAULTS else "status": "granted"})


def handle(command: dict) -> bool:
    """Answer one command; False ends the program."""
    name = command["command"]
    note(
        command=name,
        params={**command["params"], **({"uploadToken": "…"} if "uploadToken" in command["params"] else {})},
    )
    if misbehave(name):
        return True
    if name == "getChannels":
        respond(command, {"channels": channels()})
    elif name == "requestPermission":
        permission(command)
    elif name == "startRecording":
        begin(command)
    elif name == "stopRecording":
        if state["session"] != command["params"].get("sessionId"):
            refuse(command, "NO_ACTIVE_SESSION", "nothing is recorded")
        else:
            state["session"] = None
            respond(command, {"stopped": True})
            event(named("recording-complete"))
    elif name == "shutdown":
        respond(command, {})
        return False
    else:
        respond(command, {"ok": True})
    return True


def main() -> None:
    if "stubborn" in FAULTS:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    note(begin=os.getpid(), key=any(name in os.environ for name in ("VIDEO_DB_API_KEY", "VIDEODB_CLIENT_TOKEN")))
    for line in sys.stdin:
        if line.startswith(PREFIX) and not handle(json.loads(line[len(PREFIX) :])) and "stubborn" not in FAULTS:
            break
    while "stubborn" in FAULTS:
        time.sleep(60)
    note(end="graceful")


if __name__ == "__main__":
    main()
