"""The law of a recovery, whatever happens in whatever order.

No event is lost in silence; each stands in the log once; what is bound to a connection that is gone is polled until it
is proved to speak to one that is open; and `status` lists it for so long.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.fakes.recovery_world import World
from tests.fakes.stream_service import FakePipeline

VISUAL, AUDIO, TRANSCRIPT = "visual_index", "audio_index", "transcript"
# Longer than any late record, any pause after failed calls, and everything that waits for either.
QUIET_S = 400.0
late = st.sampled_from([0.0, 0.0, 40.0])
delays = st.sampled_from([0.0, 0.0, 0.0, 0.5, 3.0, 8.0, 40.0])


class Law(RuleBasedStateMachine):
    """Two streams, one of them of a session; their transcriptions; indexes that name themselves and that do not."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.number = 0
        self.indexes = 0
        # What was made and can be read back, or was delivered.
        self.texts: dict[str, FakePipeline] = {}
        self.had_gap = False

    @initialize(
        skew=st.sampled_from([0.0, 0.0, -45.0, 300.0]),
        strict=st.booleans(),
        rebinds=st.booleans(),
        has_index=st.booleans(),
    )
    def begin(self, skew: float, strict: bool, rebinds: bool, has_index: bool) -> None:
        world, service = self.world, self.world.service
        service.skew_s, service.is_strict, service.rebinds = skew, strict, rebinds
        world.connect()
        for stream in ("rts-1", "rts-2"):
            service.add_stream(stream)
            service.add_pipeline(stream, TRANSCRIPT, None, "ws-1")
        world.time.call(service.add_session, "cap-1", ["rts-1"], "ws-1")
        # Which stream there is, is known by what it says.
        self.make(service.pipelines[1])
        if has_index:
            self.indexes += 1
            service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1", is_named=False)

    def teardown(self) -> None:
        try:
            if self.number:
                self.hold()
        finally:
            self.world.close()

    def make(self, pipeline: FakePipeline, text: str = "", live: float = 0.0, record: float = 0.0) -> None:
        if not text:
            self.number += 1
            text = f"thing {self.number}"
        self.world.time.call(lambda: self.world.service.make(pipeline, text, live_after_s=live, record_after_s=record))
        self.texts[text] = pipeline

    @property
    def running(self) -> list[FakePipeline]:
        return [pipeline for pipeline in self.world.service.pipelines if pipeline.is_running]

    # ---- what the pipelines do -----------------------------------------------------------------------------------

    @rule(which=st.integers(0, 9) | st.just(-1), live=delays, record=delays)
    def say(self, which: int, live: float, record: float) -> None:
        """The youngest pipeline speaks, or any."""
        if self.running:
            self.make(self.running[which % len(self.running)], live=live, record=record)

    @rule(stream=st.sampled_from(["rts-1", "rts-2"]), data=st.data())
    def say_the_same(self, stream: str, data: st.DataObject) -> None:
        """All visual indexes of a stream say the same of the same moment."""
        self.number += 1
        text = f"the same {self.number}"
        for pipeline in self.running:
            if (pipeline.stream, pipeline.channel) == (stream, VISUAL):
                self.make(pipeline, text, data.draw(late), data.draw(late))

    @precondition(lambda self: self.indexes < 5)
    @rule(
        stream=st.sampled_from(["rts-1", "rts-2"]),
        channel=st.sampled_from([VISUAL, VISUAL, AUDIO]),
        is_named=st.booleans(),
    )
    def add_index(self, stream: str, channel: str, is_named: bool) -> None:
        if any(pipeline.stream == stream for pipeline in self.running):
            self.indexes += 1
            connection = self.world.listening.youngest
            bound_to = connection.connection_id if connection is not None else "ws-1"
            index_id = f"idx-{self.indexes}"
            self.world.service.add_pipeline(stream, channel, index_id, bound_to, is_named=is_named)

    @rule(stream=st.sampled_from(["rts-1", "rts-2"]))
    def toggle_transcription(self, stream: str) -> None:
        """Stop a transcription, or start it for the connection that is open."""
        pipeline = next(p for p in self.world.service.pipelines if (p.stream, p.index_id) == (stream, None))
        is_over = stream == "rts-1" and self.world.service.sessions["cap-1"]["status"] in {"stopped", "exported"}
        connection = self.world.listening.youngest
        if pipeline.is_running:
            pipeline.is_running = False
        elif connection is not None and not is_over:
            pipeline.is_running, pipeline.bound_to = True, connection.connection_id

    @rule()
    def step_session(self) -> None:
        self.world.time.call(self.world.service.step_session, "cap-1")

    # ---- what the connections do ---------------------------------------------------------------------------------

    @precondition(lambda self: self.world.listening.youngest is None)
    @rule()
    def connect(self) -> None:
        self.world.connect()

    @precondition(lambda self: self.world.listening.youngest is not None)
    @rule()
    def drop(self) -> None:
        self.had_gap = True
        self.world.drop()

    @precondition(lambda self: self.world.listening.youngest is not None)
    @rule(reconnect_after=st.sampled_from([0.0, 0.2, 7.0]), index=st.sampled_from([None, "named", "unnamed"]))
    def drop_and_connect(self, reconnect_after: float, index: str | None) -> None:
        """A gap; perhaps somebody makes an index for the new connection before anything is asked."""
        self.drop()
        self.world.time.pass_(reconnect_after)
        self.world.connect()
        if index is not None and self.indexes < 5:
            self.add_index("rts-1", VISUAL, index == "named")

    @precondition(lambda self: self.world.open_connections())
    @rule(which=st.integers(0, 3))
    def go_deaf(self, which: int) -> None:
        connections = self.world.open_connections()
        connection = connections[which % len(connections)]
        if connection.deaf_since is None:
            self.world.go_deaf(connection)

    @precondition(lambda self: self.world.listening.youngest is not None and len(self.world.listening.draining) < 2)
    @rule()
    def renew(self) -> None:
        self.world.renew()

    @precondition(lambda self: self.world.listening.draining)
    @rule(which=st.integers(0, 1))
    def end_draining(self, which: int) -> None:
        self.had_gap = True
        self.world.end_draining(which % len(self.world.listening.draining))

    @precondition(lambda self: self.world.open_connections())
    @rule(which=st.integers(0, 3))
    def replace_id(self, which: int) -> None:
        connections = [c for c in self.world.open_connections() if c.deaf_since is None]
        if connections:
            self.had_gap = True
            self.world.replace_id(connections[which % len(connections)])

    @rule(is_killed=st.booleans())
    def restart(self, is_killed: bool) -> None:
        self.had_gap = True
        self.world.restart(is_killed=is_killed)

    # ---- what else happens ---------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.01, 0.5, 2.0, 6.0, 20.0, 70.0, 400.0]))
    def wait(self, seconds: float) -> None:
        self.world.time.pass_(min(seconds, self._deaf_for_at_most()))

    @rule(step_s=st.sampled_from([-7200.0, -30.0, 30.0, 7200.0]))
    def set_clock(self, step_s: float) -> None:
        """Somebody sets the clock of our machine; the next heartbeat notices."""
        self.world.set_clock(step_s)

    @rule(is_down=st.booleans(), latency=st.sampled_from([0.0, 0.0, 0.3, 4.0]))
    def change_service(self, is_down: bool, latency: float) -> None:
        self.world.service.is_down, self.world.service.latency_s = is_down, latency

    def _deaf_for_at_most(self) -> float:
        """A connection that is deaf is noticed within a minute."""
        for number, (connection, _) in enumerate(list(self.world.listening.draining)):
            if connection.deaf_since is not None and self.world.time.monotonic() - connection.deaf_since > 20:
                self.end_draining(number)
                break
        youngest = self.world.listening.youngest
        if youngest is not None and youngest.deaf_since is not None:
            if self.world.time.monotonic() - youngest.deaf_since > 20:
                self.drop()
            else:
                return 20.0
        return 20.0 if any(c.deaf_since is not None for c in self.world.open_connections()) else 400.0

    # ---- the law -------------------------------------------------------------------------------------------------

    @invariant()
    def each_at_most_once(self) -> None:
        if self.number:
            found, sent, late = self.world.logged()
            for text, count in found.items():
                assert count <= max(sent[text], 1), f"{text} stands in the log {count} times"
            for text, count in sent.items():
                assert found[text] + late[text] >= count, f"{text} was received and is not in the log"

    @rule()
    def hold(self) -> None:
        """Let everything become quiet: then nothing is missing, and what is dead is known to be."""
        world, service = self.world, self.world.service
        service.is_down, service.latency_s = False, 0.0
        for number in reversed(range(len(world.listening.draining))):
            if world.listening.draining[number][0].deaf_since is not None:
                self.end_draining(number)
        if world.listening.youngest is not None and world.listening.youngest.deaf_since is not None:
            self.drop()
        if world.listening.youngest is None:
            world.connect()
        world.time.pass_(QUIET_S)
        dead = [p for p in self.running if not world.hears(p)]
        for pipeline in dead:
            self.make(pipeline)
        world.time.pass_(QUIET_S / 4)
        found, sent, late = world.logged()
        for text in self.texts:
            assert found[text] == max(sent[text] - late[text], 1), f"{text} stands in the log {found[text]} times"
            assert found[text] + late[text] >= sent[text]
        status = service.sessions["cap-1"]["status"]
        assert found[f"capture_session.{status} of cap-1"] >= 1, f"{status} is not in the log"
        listed = world.dead()
        for pipeline in dead:
            if pipeline.is_running and not world.hears(pipeline):
                assert (pipeline.stream, pipeline.index_id) in listed, f"{pipeline} is dead, and not listed"
        assert listed <= {(p.stream, p.index_id) for p in service.pipelines}


TestLaw: Any = Law.TestCase
TestLaw.settings = settings(settings.get_profile("quick"), max_examples=30, stateful_step_count=30)
