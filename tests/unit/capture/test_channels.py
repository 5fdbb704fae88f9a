"""Choosing channels: defaults, names, what is absent, what is stored and what is primary."""

import pytest

from videodb_cli.capture.channels import Channel, ChannelRequest, Channels, choose, kind_of
from videodb_cli.errors import NotFoundError, RefusedError, UsageError

MIC = Channel("mic:default", "mic", "Built-in", default=True, details={"alias": "mic:alsa_input"})
OTHER_MIC = Channel("mic:usb", "mic", "USB")
SYSTEM = Channel("system_audio:default", "system_audio", "Speaker", default=True)
DISPLAY = Channel("display:1", "display", "left")
SECOND = Channel("display:2", "display", "right", default=True)
CAMERA = Channel("camera:0", "camera", "Face", default=True, capturable=False, reason="not captured")
ALL = Channels((MIC, OTHER_MIC, SYSTEM, DISPLAY, SECOND, CAMERA))


def ids(channels: tuple[Channel, ...]) -> list[str]:
    return [channel.id for channel in channels]


def test_defaults_are_one_of_each_kind_with_the_default_display_primary() -> None:
    chosen = choose(ALL, ChannelRequest())
    assert ids(chosen) == ["display:2", "mic:default", "system_audio:default"]
    assert [channel.primary for channel in chosen] == [True, False, False]
    assert all(channel.store for channel in chosen)


def test_named_channels_replace_the_defaults_and_a_repeated_one_counts_once() -> None:
    chosen = choose(ALL, ChannelRequest(ids=("mic:usb", "display:1", "mic:usb")))
    assert ids(chosen) == ["mic:usb", "display:1"]
    assert [channel.primary for channel in chosen] == [False, True]


def test_the_default_microphone_is_also_known_by_its_source() -> None:
    assert ids(choose(ALL, ChannelRequest(ids=("mic:alsa_input", "mic:default")))) == ["mic:default"]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (ChannelRequest(mic=False, system_audio=False), ["display:2"]),
        (ChannelRequest(display="all", mic=False, system_audio=False), ["display:2", "display:1"]),
        (ChannelRequest(display="none"), ["mic:default", "system_audio:default"]),
        (ChannelRequest(display="1", mic=False, system_audio=False), ["display:1"]),
        (ChannelRequest(display="display:1", mic=False, system_audio=False), ["display:1"]),
    ],
)
def test_kinds_can_be_left_out_or_named(wish: ChannelRequest, expected: list[str]) -> None:
    assert ids(choose(ALL, wish)) == expected


def test_what_is_absent_by_default_is_left_out_and_what_is_asked_for_is_refused() -> None:
    bare = Channels((MIC,), {"display": "DISPLAY is not set"})
    assert ids(choose(bare, ChannelRequest())) == ["mic:default"]
    with pytest.raises(RefusedError, match="DISPLAY is not set"):
        choose(bare, ChannelRequest(display="all"))
    for device in ("display:1", "display:default"):
        with pytest.raises(RefusedError, match="DISPLAY is not set"):
            choose(bare, ChannelRequest(ids=(device,)))
    with pytest.raises(RefusedError, match="DISPLAY is not set"):
        choose(bare, ChannelRequest(display="1"))
    with pytest.raises(RefusedError, match="no system audio"):
        choose(bare, ChannelRequest(system_audio=True))
    with pytest.raises(RefusedError, match="nothing to capture"):
        choose(bare, ChannelRequest(mic=False))


def test_leaving_every_kind_out_is_a_mistake_of_the_command_line() -> None:
    with pytest.raises(UsageError, match="left out"):
        choose(ALL, ChannelRequest(display="none", mic=False, system_audio=False))


@pytest.mark.parametrize("unknown", ["mic:usbb", "display:9", "webcam", "", "mic:"])
def test_an_unknown_id_is_not_found_and_the_hint_names_what_there_is(unknown: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        choose(ALL, ChannelRequest(ids=(unknown,)))
    assert caught.value.exit_status == 4
    assert any(channel.id in (caught.value.hint or "") for channel in ALL)


def test_the_nearest_id_is_named_first() -> None:
    with pytest.raises(NotFoundError) as caught:
        ALL.get("mic:usbb")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("there are: mic:usb")


def test_a_camera_is_listed_and_refused() -> None:
    with pytest.raises(RefusedError, match="not captured"):
        choose(ALL, ChannelRequest(ids=("camera:0",)))


def test_only_the_named_ones_are_stored() -> None:
    chosen = choose(ALL, ChannelRequest(store_only=("mic:default",)))
    assert {channel.id: channel.store for channel in chosen} == {
        "display:2": False,
        "mic:default": True,
        "system_audio:default": False,
    }
    assert not any(channel.store for channel in choose(ALL, ChannelRequest(store=False)))
    with pytest.raises(UsageError, match="store-only"):
        choose(ALL, ChannelRequest(store_only=("display:1",)))


def test_the_primary_must_be_a_display_of_the_session() -> None:
    chosen = choose(ALL, ChannelRequest(display="all", primary="display:1"))
    assert [channel.id for channel in chosen if channel.primary] == ["display:1"]
    with pytest.raises(UsageError):
        choose(ALL, ChannelRequest(primary="display:1"))
    with pytest.raises(UsageError):
        choose(ALL, ChannelRequest(primary="mic:default"))


def test_the_shape_has_every_group_and_a_reason_for_an_empty_one() -> None:
    shape = Channels((MIC, CAMERA), {"display": "none here"}).as_json()
    assert list(shape) == ["mics", "displays", "system_audio", "cameras", "reasons"]
    assert shape["reasons"] == {"displays": "none here"}
    assert shape["mics"][0] | {"alias": None} == {
        "id": "mic:default",
        "type": "mic",
        "name": "Built-in",
        "store": True,
        "default": True,
        "capturable": True,
        "alias": None,
    }
    assert (shape["cameras"][0]["capturable"], shape["cameras"][0]["store"]) == (False, False)


@pytest.mark.parametrize(
    ("channel_id", "media", "kind"),
    [
        ("mic:x", None, "mic"),
        ("screen:2", None, "display"),
        ("system_audio:microphone mix", "audio", "system_audio"),
        ("thing", "video", "display"),
        ("thing", "audio", "mic"),
    ],
)
def test_the_id_decides_the_kind(channel_id: str, media: str | None, kind: str) -> None:
    assert kind_of(channel_id, media) == kind
