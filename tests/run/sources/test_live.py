"""Live sources: the newest frame, what is lost is counted, and what breaks is opened again."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.run import runner as runner_module
from mpm_deploy.run.runner import Runner
from mpm_deploy.run.source_options import SourceOptions
from mpm_deploy.run.sources import Frame, Source, open_source, open_sources
from mpm_deploy.run.sources.decoder import without_password
from tests.run.sources.camera import Camera, camera, number_on, served, wait_for
from tests.run.sources.clips_made import pictures, write_clip
from tests.support.toy import MANIFEST, ToyProgram

QUICK = {"reconnect": 3, "reconnect_wait": 0.2, "timeout": 2.0}


@pytest.fixture(autouse=True)
def _quickly_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpm_deploy.run.sources.live._FIRST_WAIT", 0.1)


def frames(source: Source) -> Iterator[Frame]:
    return (frame for frame in source if isinstance(frame, Frame))


def test_a_slow_reader_gets_the_newest_frames() -> None:
    with camera(rate=25) as there, open_source(there.address, **QUICK) as source:
        assert source.live and source.total is None
        seen = []
        for frame in frames(source):
            seen.append((frame.index, frame.time))
            now = there.sent
            assert (now - number_on(frame.pixels)) % 256 < 12, "an old frame"
            if len(seen) == 4:
                break
            time.sleep(0.6)  # of 15 frames
        assert [index for index, _ in seen] == [1, 2, 3, 4]
        assert seen[0][1] == 0 and seen[-1][1] > 1.5
    assert source.losses.dropped > 20
    with pytest.raises(InputError, match="it was read already, or closed"):
        next(frames(source))


def test_a_runner_holds_no_more_than_one_frame_of_a_live_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner_module, "open_artifact", lambda *_: (MANIFEST, ToyProgram()))
    with camera(rate=25) as there, Runner("toy.pt") as runner:
        source = open_source(there.address, **QUICK)
        results = runner.run(source)
        for _ in range(4):
            result = next(results)
            assert result.ok and isinstance(result.source, Frame)
            assert (there.sent - number_on(result.source.pixels)) % 256 < 12
            time.sleep(0.6)
        results.close()
        wait_for(lambda: "mpm-live" not in {thread.name for thread in threading.enumerate()})


def test_a_stream_that_ends_is_opened_again() -> None:
    with camera() as there, open_source(there.address, **QUICK) as source:
        there.frames_each = 40
        found = frames(source)
        before = next(found)
        wait_for(lambda: source.losses.reconnects)
        later = [next(found) for _ in range(3)][-1]
        assert later.time > before.time
        assert later.index == 4


def test_a_server_that_is_started_again_is_found_again() -> None:
    first = Camera()
    with open_source(first.address, **QUICK) as source:
        found = frames(source)
        next(found)
        first.close()
        with camera(port=first.port) as second:
            wait_for(lambda: source.losses.reconnects and second.sent > 5)
            next(found)
            assert number_on(next(found).pixels) <= second.sent


def test_a_server_that_stays_away_is_an_error_behind_the_frames() -> None:
    there = Camera()
    address = there.address.replace("//", "//user:secret@")
    with open_source(address, **QUICK) as source:
        found = frames(source)
        next(found)
        there.close()
        with pytest.raises(InputError) as caught:
            for _ in found:
                pass
    assert "and 3 tries to open it again failed: cannot be read as a video" in caught.value.problem
    assert "user:***@" in caught.value.problem and "secret" not in str(caught.value)


def test_without_reconnecting_the_end_of_a_stream_is_the_end(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.ts", list(pictures(20)), form="mpegts")
    data = (tmp_path / "clip.ts").read_bytes()
    with served(data, length=False) as address, open_source(address, reconnect=0) as source:
        assert source.live
        assert list(frames(source))


def test_a_stream_that_falls_silent_broke() -> None:
    options = {**QUICK, "reconnect": 0, "timeout": 0.5}
    with camera() as there, open_source(there.address, **options) as source:
        found = frames(source)
        next(found)
        there.silent = True
        with pytest.raises(InputError, match=r"nothing came for 0.5 seconds"):
            for _ in found:
                pass


def test_nobody_there_is_an_error_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    begin = time.monotonic()
    with pytest.raises(InputError, match=f"127.0.0.1:{port}/a: cannot be read as a video: .*refus"):
        open_source(f"http://127.0.0.1:{port}/a", timeout=5.0)
    assert time.monotonic() - begin < 4


def test_a_camera_that_is_not_there_says_so() -> None:
    with pytest.raises(InputError, match="/dev/video99: cannot be read as a video: No such file"):
        open_source("/dev/video99")


def test_a_recording_at_an_address_is_read_whole(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", list(pictures(20)))
    data = (tmp_path / "clip.mp4").read_bytes()
    with served(data, length=True) as address, open_source(address) as source:
        assert not source.live and source.total == 20
        assert len(list(source)) == 20 and source.losses.dropped == 0


def test_a_camera_runs_alone(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with camera() as there, pytest.raises(InputError, match="expected a video or a camera alone"):
        open_sources([str(tmp_path / "a.png"), there.address], SourceOptions(timeout=5.0))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://user:p%40ss@host:554/a", "rtsp://user:***@host:554/a"),
        ("rtsp://user:p@ss:w@host/a", "rtsp://user:***@host/a"),
        ("rtsp://host:554/a:b@c", "rtsp://host:554/a:b@c"),
        ("/dev/video0", "/dev/video0"),
    ],
)
def test_passwords_are_not_shown(address: str, shown: str) -> None:
    assert without_password(address) == shown
