"""What a machine can capture, and what of it a session takes. Data and choices only: no device is touched here.

Ids are those of the service's recorders (``mic:default``, ``system_audio:default``, ``display:1``): what
`videodb capture channels` prints is what ``--channel`` accepts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Final

from videodb_cli.errors import NotFoundError, RefusedError, UsageError
from videodb_cli.rundir.capture_state import ChannelState

KINDS: Final = ("mic", "display", "system_audio", "camera")
# Group of the SDK for each kind.
GROUPS: Final = {"mic": "mics", "display": "displays", "system_audio": "system_audio", "camera": "cameras"}
_PREFIXES = {
    "mic": "mic",
    "display": "display",
    "screen": "display",
    "system_audio": "system_audio",
    "camera": "camera",
}


def kind_of(channel_id: str, media: str | None = None) -> str:
    """Return the kind of a channel by its id, as the SDK decides it; by its medium when the id says nothing."""
    known = _PREFIXES.get(channel_id.partition(":")[0].lower())
    return known or ("display" if media == "video" else "mic")


def is_known_prefix(channel_id: str) -> bool:
    """Tell whether the id of a channel says of which kind it is."""
    return channel_id.partition(":")[0].lower() in _PREFIXES


@dataclass(frozen=True, slots=True)
class Channel:
    """One source. ``capturable`` false has a ``reason``; ``details`` are JSON values (size, rate, source, monitor)."""

    id: str
    type: str  # one of KINDS
    name: str
    default: bool = False
    capturable: bool = True
    reason: str | None = None
    store: bool = True
    primary: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def media(self) -> str:
        """``audio`` or ``video``, as the control plane wants it."""
        return "video" if self.type in {"display", "camera"} else "audio"

    def as_json(self) -> dict[str, Any]:
        """The shape of `capture channels --json`."""
        shape: dict[str, Any] = {
            "id": self.id,
            "type": self.type,
            "name": self.name,
            "store": self.store and self.capturable,
            "default": self.default,
            "capturable": self.capturable,
        }
        if self.reason is not None:
            shape["reason"] = self.reason
        return shape | {name: value for name, value in self.details.items() if name not in shape}

    def new_state(self) -> ChannelState:
        """Return its entry in the state file of a capture that begins."""
        return ChannelState(self.id, self.type, name=self.name, store=self.store, is_primary=self.primary)

    def for_service(self) -> dict[str, Any]:
        """The shape in ``POST /capture/session/start``."""
        return {
            "channel_id": self.id,
            "channel_name": self.name,
            "type": self.media,
            "store": self.store,
            "is_primary": self.primary,
        }


@dataclass(frozen=True, slots=True)
class Channels:
    """All channels of a machine by kind, and why a kind has none."""

    found: tuple[Channel, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Channel]:
        return iter(self.found)

    def of(self, kind: str) -> list[Channel]:
        """Channels of one kind, the default first."""
        return sorted((c for c in self.found if c.type == kind), key=lambda c: not c.default)

    def default(self, kind: str) -> Channel | None:
        """The default capturable channel of a kind, or None."""
        able = [channel for channel in self.of(kind) if channel.capturable]
        return able[0] if able else None

    def why_none(self, kind: str) -> str:
        """Say why there is no usable channel of this kind."""
        blocked = [channel.reason for channel in self.of(kind) if channel.reason]
        return self.reasons.get(kind) or (blocked[0] if blocked else "none found")

    def get(self, channel_id: str) -> Channel:
        """Return the channel of this id.

        Raises NotFoundError (naming the near ones) if there is none, RefusedError if it cannot be captured or if it is
        a device of a kind of which this machine has none.
        """
        for channel in self.found:
            if channel_id in {channel.id, channel.details.get("alias")}:
                if not channel.capturable:
                    raise RefusedError(
                        f"{channel.id} cannot be captured: {channel.reason or 'the recorder cannot do it'}",
                        code="not_capturable",
                        hint="videodb capture channels",
                    )
                return channel
        kind = _PREFIXES.get(channel_id.partition(":")[0])
        if kind is not None and not self.of(kind) and _is_device(channel_id):
            raise absent(self, kind)
        raise self._unknown(channel_id)

    def _unknown(self, channel_id: str) -> NotFoundError:
        able = [channel.id for channel in self.found if channel.capturable]
        kind = channel_id.partition(":")[0]
        near = get_close_matches(channel_id, able, 3, 0.5) or [c for c in able if c.startswith(f"{kind}:")] or able
        if near:
            hint = f"there are: {', '.join(near[:5])} (all of them: videodb capture channels)"
        else:
            known = kind in _PREFIXES
            hint = f"nothing can be captured here: {self.why_none(_PREFIXES[kind] if known else 'display')}"
        return NotFoundError(f"no channel is called {channel_id!r}", code="no_channel", hint=hint)

    def as_json(self) -> dict[str, Any]:
        """The shape of `capture channels --json`; ``reasons`` holds one sentence for each empty group."""
        shape: dict[str, Any] = {group: [c.as_json() for c in self.of(kind)] for kind, group in GROUPS.items()}
        return shape | {"reasons": {GROUPS[kind]: reason for kind, reason in self.reasons.items()}}


@dataclass(frozen=True, slots=True)
class ChannelRequest:
    """What the command line asks for. None means the default of that kind if it exists; True: it must exist.

    ``display`` is ``"all"``, ``"none"``, a number or an id. ``ids`` (``--channel``) replace every default.
    """

    ids: tuple[str, ...] = ()
    mic: bool | None = None
    system_audio: bool | None = None
    display: str | None = None
    store: bool = True
    store_only: tuple[str, ...] = ()
    primary: str | None = None


def choose(channels: Channels, request: ChannelRequest) -> tuple[Channel, ...]:
    """Return the channels of a session, with ``store`` and ``primary`` set.

    Raises NotFoundError for an unknown id, RefusedError for one that is absent though asked for or when there is
    nothing to capture at all, UsageError for a primary or a ``--store-only`` that is not among them.
    """
    chosen = _wanted(channels, request)
    if not chosen and request.display == "none" and request.mic is False and request.system_audio is False:
        raise UsageError("every channel is left out", code="nothing_chosen", hint="videodb capture channels")
    if not chosen:
        why = "; ".join(f"no {kind}: {channels.why_none(kind)}" for kind in ("display", "mic", "system_audio"))
        raise RefusedError(
            f"there is nothing to capture ({why})",
            code="nothing_to_capture",
            hint="videodb capture channels · or play a file instead: videodb capture start --source FILE",
        )
    ids = {channel.id for channel in chosen}
    store_only = {channels.get(name).id for name in request.store_only}
    for name in store_only - ids:
        raise UsageError(f"--store-only {name} is not among the channels of this session", code="not_chosen")
    primary = _primary(channels, chosen, request.primary)
    return tuple(
        replace(
            channel,
            store=channel.id in store_only if store_only else request.store,
            primary=channel.id == primary,
        )
        for channel in chosen
    )


def _wanted(channels: Channels, request: ChannelRequest) -> list[Channel]:
    if request.ids:
        wanted = [channels.get(channel_id) for channel_id in request.ids]
    else:
        wanted = _displays(channels, request.display)
        for kind, asked in (("mic", request.mic), ("system_audio", request.system_audio)):
            if asked is False:
                continue
            found = channels.default(kind)
            if found is not None:
                wanted.append(found)
            elif asked:
                raise absent(channels, kind)
    return list({channel.id: channel for channel in wanted}.values())


def _displays(channels: Channels, asked: str | None) -> list[Channel]:
    if asked == "none":
        return []
    if asked == "all":
        able = [channel for channel in channels.of("display") if channel.capturable]
        if not able:
            raise absent(channels, "display")
        return able
    if asked is not None:
        return [channels.get(f"display:{asked}" if ":" not in asked else asked)]
    found = channels.default("display")
    return [found] if found is not None else []


def _is_device(channel_id: str) -> bool:
    """Whether this is what a device is called on every machine that has one."""
    name = channel_id.partition(":")[2]
    return name == "default" or name.isdecimal()


def absent(channels: Channels, kind: str) -> RefusedError:
    """Return the error for a kind of device that is asked for and that this machine does not have."""
    return RefusedError(
        f"there is no {kind.replace('_', ' ')} here: {channels.why_none(kind)}",
        code="no_device",
        hint="videodb capture channels",
    )


def _primary(channels: Channels, chosen: Sequence[Channel], asked: str | None) -> str | None:
    videos = [channel for channel in chosen if channel.media == "video"]
    if asked is not None:
        named = channels.get(asked)
        if named.id not in {channel.id for channel in videos}:
            raise UsageError(
                f"--primary {asked} is not among the displays of this session",
                code="not_chosen",
                hint=f"one of: {', '.join(channel.id for channel in videos) or 'none, there is no display'}",
            )
        return named.id
    first = next((channel for channel in videos if channel.default), videos[0] if videos else None)
    return first.id if first is not None else None
