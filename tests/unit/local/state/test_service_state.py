import pytest

from videodb_cli.local.http.answers import ServiceError
from videodb_cli.local.state.pages import select_records
from videodb_cli.local.state.records import (
    SESSION_STATUSES,
    SESSION_TRANSITIONS,
    CaptureSessionRecord,
    SessionChannel,
    SpokenRecord,
)
from videodb_cli.local.state.service_state import TICKET_LIFE_S, ServiceState


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(clock: Clock) -> ServiceState:
    return ServiceState(clock=clock)


def make_session(state: ServiceState, **options: object) -> CaptureSessionRecord:
    values = {"end_user_id": "u", "callback_url": None, "ws_connection_id": None, "metadata": {}, **options}
    return state.create_session("default", **values)  # type: ignore[arg-type]


def test_a_client_token_is_valid_until_its_end(state: ServiceState, clock: Clock) -> None:
    token, expires_at = state.issue_client_token(60)
    assert expires_at == clock.now + 60
    assert state.is_client_token(token)
    assert not state.is_client_token(token + "x")
    assert not state.is_client_token("")
    clock.now += 60
    assert not state.is_client_token(token)


@pytest.mark.parametrize("life", [0, -1, 10**9])
def test_a_token_life_out_of_bounds_is_refused(state: ServiceState, life: int) -> None:
    with pytest.raises(ServiceError, match="expires_in"):
        state.issue_client_token(life)


def test_a_ticket_works_once_and_not_for_ever(state: ServiceState, clock: Clock) -> None:
    ticket, late = state.issue_ticket(), state.issue_ticket()
    assert state.redeem_ticket(ticket)
    assert not state.redeem_ticket(ticket)
    clock.now += TICKET_LIFE_S + 1
    assert not state.redeem_ticket(late)


def test_every_status_has_its_transitions() -> None:
    assert set(SESSION_TRANSITIONS) == set(SESSION_STATUSES)
    assert set().union(*SESSION_TRANSITIONS.values()) <= set(SESSION_STATUSES)


def test_a_session_goes_its_way_and_no_other(state: ServiceState) -> None:
    session = make_session(state)
    for status in ("starting", "active", "stopping", "stopped", "exported"):
        state.move_session(session, status)
    with pytest.raises(ServiceError, match="exported and cannot become starting"):
        state.move_session(session, "starting")


def test_channels_are_offered_once_each(state: ServiceState) -> None:
    session = make_session(state)
    mic = SessionChannel("mic:default", "Mic", "audio", store=True, is_primary=False)
    with pytest.raises(ServiceError, match="twice"):
        state.begin_session(session, [mic, mic])
    state.begin_session(session, [mic])
    with pytest.raises(ServiceError, match="starting and cannot"):
        state.begin_session(session, [mic])


@pytest.mark.parametrize(
    ("channel_id", "kind", "category"),
    [
        ("mic:default", "audio", "mic"),
        ("system_audio:default", "audio", "system_audio"),
        ("display:1", "video", "screen"),
        ("screen:x", "video", "screen"),
        ("whatever", "video", "screen"),
        ("whatever", "audio", "mic"),
    ],
)
def test_a_channel_has_the_category_that_the_sdk_asks_for(channel_id: str, kind: str, category: str) -> None:
    assert SessionChannel(channel_id, "", kind, store=False, is_primary=False).category == category


def test_a_session_of_another_collection_is_not_found(state: ServiceState) -> None:
    session = make_session(state)
    assert state.session(session.id, "default") is session
    with pytest.raises(ServiceError) as caught:
        state.session(session.id, "other")
    assert caught.value.status == 404


RECORDS = [SpokenRecord(float(at), at + 5.0, f"r{at}") for at in (20, 0, 10, 30)]


def texts(**selection: float) -> list[str]:
    page = select_records(RECORDS, **selection)  # type: ignore[arg-type]
    return [record.text for record in page.items]


def test_records_come_in_order_of_their_start() -> None:
    assert texts() == ["r0", "r10", "r20", "r30"]


def test_a_span_takes_what_it_touches() -> None:
    assert texts(start=12, end=22) == ["r10", "r20"]
    assert texts(start=16, end=19) == []


def test_since_keeps_the_sentence_it_falls_into() -> None:
    assert texts(since=12) == ["r10", "r20", "r30"]
    assert texts(since=15) == ["r20", "r30"]


def test_pages_end_where_the_records_do() -> None:
    first, last = select_records(RECORDS, page=1, page_size=3), select_records(RECORDS, page=2, page_size=3)
    assert ([record.text for record in last.items], first.has_next, last.has_next) == (["r30"], True, False)
    assert select_records(RECORDS, page=9, page_size=3).items == ()
    assert select_records(RECORDS, page=2, page_size=2).has_next is False
