"""Reads back what was lost in a gap, and polls what still sends its events to a closed connection.

`GapTracker` notes a gap and calls `Recoverer.begin`. A task of its own then works in rounds:

1. `history` reads the log, and `capture_info` the capture's state file: which streams and sessions exist, and what the
   log holds.
2. `backfill` asks the service through `client`: sessions, indexes of streams, records of pipelines. `evidence` compares
   each answer with the log.
3. Each answer may change the state of a `pipeline`, which says where it sends its events, and whether it is polled.
4. `writer` writes the events that the log lacks.
5. Running transcriptions are bound to the youngest connection.
6. `gap` makes the report: what came back, and what could not be asked.

Meanwhile every live event passes through `Backfill.on_live_event`: it need not be read back, and it may prove where its
pipeline sends its events. The rounds end when every pipeline is done, every session has ended, and no call fails.

Beside all this, `session_ends` asks about sessions that have ended and whose export did not come over the socket. It
needs no gap, and writes through the same `writer`.

`recoverer`, `backfill`, `client`, `session_ends` and `writer` wait for calls and threads. The other modules are pure,
except `history` and `capture_info`, which read files and are called in a thread.

A pipeline
----------

A pipeline sends its events to one connection, and goes on doing so after that connection is closed. So it is polled
until it is proved to send them to an open connection. The proof belongs to the pipeline and names the connection.

=======  =============================================================================================================
state    meaning
=======  =============================================================================================================
STALE    It existed before the open connections did, so none of its events can arrive.
UNKNOWN  It may send its events to an open connection or to a closed one.
BOUND    The service was told to send its events to an open connection. None has arrived yet.
LIVE     One of its events arrived over a connection that is open.
=======  =============================================================================================================

==========================  =======  ===========  ===========  ===========
transition                  STALE    UNKNOWN      BOUND        LIVE
==========================  =======  ===========  ===========  ===========
`on_gap`, new connection    STALE    STALE (1)    BOUND        LIVE
`on_gap`, any other         UNKNOWN  UNKNOWN      BOUND        LIVE
`on_connection_closed`      STALE    UNKNOWN      UNKNOWN (2)  UNKNOWN (2)
`on_rebound`                BOUND    BOUND        BOUND        BOUND (3)
`on_live_event`             LIVE     LIVE         LIVE (4)     LIVE
`on_records`                STALE    UNKNOWN      BOUND (5)    LIVE (5)
`on_stopped`                STALE    UNKNOWN      BOUND        LIVE
==========================  =======  ===========  ===========  ===========

1. A transcription stays UNKNOWN, because it can be bound again.
2. Only if its proof names that connection. Otherwise the state stays.
3. It stays LIVE if its proof names the same connection.
4. Only if the event arrived over the connection to which it is bound. Otherwise the state stays.
5. It becomes UNKNOWN if a record was made after the proof, and its event did not arrive in time.

`on_stopped` leaves the state alone: the pipeline produces nothing more until a gap or `on_rebound` says otherwise.
`status` lists a pipeline that is STALE or UNKNOWN and has not stopped. A pipeline is done, and not polled any more,
when it is LIVE or has stopped, and was queried ``settle_s`` after its last transition and its last new record.
"""
