"""Every module has its test file, which mirrors its path, or stands in the table below with the tests that hold it."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE, UNIT = ROOT / "videodb_cli", ROOT / "tests" / "unit"

# Patterns of modules that have no test file of their own, and the tests that hold them.
HELD_BY = {
    # The command line is tried whole: by `main`, or as a process.
    "__main__.py": "tests/e2e/test_listen_process.py",
    "main.py": "tests/cli/test_exit_statuses.py",
    "errors.py": "tests/cli/test_exit_statuses.py",
    "version.py": "tests/e2e/week/test_network_forward.py",
    "commands/events/*.py": "tests/cli/test_events_filter.py tests/cli/test_events_wait.py",
    "commands/capture/*.py": "tests/e2e/test_capture_file.py tests/cli/test_capture_channels.py",
    # The live view is tried by its keys, and as a process on a terminal.
    "watch/*.py": "tests/unit/watch/test_app.py tests/e2e/test_watch.py",
    "commands/*.py": "tests/cli/test_golden.py tests/cli/test_listen.py tests/cli/test_local.py",
    "diagnostics/*.py": "tests/unit/diagnostics/test_diagnostics.py tests/e2e/test_diagnostics.py",
    # What a command does needs processes, media or a service.
    "app/capture/*.py": "tests/e2e/test_capture_file.py tests/e2e/test_capture_faults.py",
    "app/forward/*.py": "tests/e2e/test_events_forward.py tests/e2e/test_deliveries.py",
    "app/doctor*.py": "tests/cli/test_doctor.py",
    "app/report_page.py": "tests/cli/test_events_report.py",
    "page/content.py": "tests/unit/page/test_payload.py",
    "app/report.py": "tests/cli/test_doctor_report.py",
    "app/findings.py": "tests/cli/test_doctor.py",
    "app/demo.py": "tests/e2e/test_demo.py",
    "app/embed.py": "tests/e2e/test_python_api.py",
    "app/local_*.py": "tests/e2e/test_local_process.py tests/e2e/test_local_run.py",
    "app/*.py": "tests/cli/test_listen.py tests/e2e/test_listen_detached.py",
    # Devices, recorders and children: against the real ones, or fakes that speak their protocol.
    "capture/devices/*.py": "tests/e2e/test_capture_desktop.py tests/cli/test_capture_channels.py",
    "capture/ffmpeg/*.py": "tests/e2e/test_capture_ingest.py tests/e2e/test_capture_faults.py",
    "capture/recorders/*.py": "tests/e2e/test_official_recorder.py tests/e2e/test_capture_desktop.py",
    "capture/running.py": "tests/e2e/test_capture_twice.py",
    "process/*.py": "tests/e2e/test_child.py tests/e2e/week/test_machine.py",
    "mediafile.py": "tests/e2e/week/test_capture.py",
    "network/*.py": "tests/e2e/week/test_network.py",
    "api/*.py": "tests/unit/api/test_control_plane.py",
    # The parts of the listener are put together and held to its law.
    "listener/recovery/*.py": "tests/unit/listener/recovery/test_law.py tests/unit/listener/recovery/test_recoverer.py",
    "listener/event_socket.py": "tests/unit/listener/test_websockets_contract.py",
    "listener/*.py": "tests/unit/listener/test_listener.py tests/cli/test_listen.py",
    # Everything that reads is compared with the plain path by property tests.
    "eventlog/matches.py": "tests/unit/eventlog/test_paths.py",
    "eventlog/query/*.py": "tests/unit/eventlog/query/test_scan.py tests/unit/eventlog/query/test_run.py",
    "eventlog/read/*.py": "tests/unit/eventlog/test_paths.py",
    "eventlog/views/*.py": "tests/cli/test_events_of_session.py tests/unit/eventlog/views/test_search_index.py",
    "eventlog/redact/*.py": "tests/unit/eventlog/query/test_redact.py",
    "eventlog/write/prune.py": "tests/cli/test_events_prune.py",
    "eventlog/write/sync.py": "tests/unit/eventlog/write/test_store.py",
    # The server is tried by the official client.
    "schemas/*.py": "tests/cli/test_schemas.py",
    "mcp/*.py": "tests/e2e/test_mcp.py tests/e2e/test_mcp_hostile.py tests/e2e/test_mcp_day.py",
    "model/*.py": "tests/e2e/test_python_api.py tests/unit/model/test_event.py",
    "rundir/lenient.py": "tests/unit/rundir/test_capture_state.py tests/unit/rundir/test_listener_state.py",
    "rundir/process_log.py": "tests/e2e/test_listen_detached.py",
    # The embedded service is judged by the official SDKs and by real media.
    "local/http/player.py": "tests/e2e/test_player_in_browser.py tests/e2e/test_assets.py",
    "local/http/*.py": "tests/e2e/test_sdk_against_local.py tests/e2e/test_local_service.py",
    "local/media/*.py": "tests/e2e/test_capture_ingest.py tests/e2e/test_media_analysis.py",
    "local/rtsp/*.py": "tests/e2e/test_rtsp_interop.py",
    "local/state/*.py": "tests/unit/local/state/test_service_state.py tests/e2e/test_understanding.py",
    "local/faults/*.py": "tests/unit/local/faults/test_plan.py",
    "local/analysis/*.py": "tests/unit/local/analysis/test_speech.py",
    "local/*.py": "tests/e2e/test_local_service.py tests/e2e/test_alerts.py tests/e2e/test_local_process.py",
}
# Tests of more than one module, and of what is no module of the package.
WHOLE = {
    "eventlog/test_keeping.py",
    "eventlog/test_paths.py",
    "diagnostics/test_diagnostics.py",
    "listener/recovery/test_law.py",
    "listener/test_websockets_contract.py",
    "test_constraints.py",
    "test_documents.py",
    "test_site.py",
    "test_troubleshooting.py",
    "test_floors.py",
    "test_man_pages.py",
    "test_python_api_page.py",
    "test_tree.py",
}


def modules() -> set[str]:
    return {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"}


def mirrored(module: str) -> Path:
    path = UNIT / module
    return path.with_name(f"test_{path.name}")


def pattern_of(module: str) -> str | None:
    return next((pattern for pattern in HELD_BY if fnmatch(module, pattern)), None)


def test_every_module_has_tests() -> None:
    alone = sorted(module for module in modules() if not mirrored(module).exists() and pattern_of(module) is None)
    assert alone == [], "write tests/unit/<path>/test_<name>.py, or say in HELD_BY what holds them"


def test_the_table_says_nothing_that_is_not_so() -> None:
    listed = {pattern_of(module) for module in modules() if not mirrored(module).exists()}
    assert set(HELD_BY) - listed == set(), "patterns that no module needs"
    files = {file for files in HELD_BY.values() for file in files.split()}
    assert sorted(file for file in files if not (ROOT / file).exists()) == []


def test_unit_tests_mirror_the_package() -> None:
    wanted = {mirrored(module) for module in modules()}
    found = {path for path in UNIT.rglob("test_*.py") if "fakes" not in path.parts}
    astray = sorted(str(path.relative_to(UNIT)) for path in found - wanted)
    assert [name for name in astray if name not in WHOLE and not _is_part(name)] == []


def _is_part(name: str) -> bool:
    """Tell whether a file holds some of the tests of one module: `test_MODULE_aspect.py`."""
    path = Path(name)
    stem = path.stem.removeprefix("test_")
    return any((PACKAGE / path.parent / f"{stem[:end]}.py").exists() for end in range(len(stem)) if stem[end] == "_")
