"""Every frame of a video file: its pixels, its number, its time, and what is said of bad files."""

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpm_deploy.errors import InputError, MissingPackageError
from mpm_deploy.run import runner as runner_module
from mpm_deploy.run.results import Result
from mpm_deploy.run.runner import Runner
from mpm_deploy.run.sources import Frame, SourceOptions, open_source, open_sources
from mpm_deploy.run.sources.video import Video
from tests.run.sources.clips_made import damage, pictures, write_clip, write_sound
from tests.support.toy import MANIFEST, ToyProgram


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    monkeypatch.setattr(runner_module, "open_artifact", lambda *_: (MANIFEST, ToyProgram()))
    with Runner("toy.pt", workers=2) as opened:
        yield opened


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_clip(path, list(pictures(12)))
    return path


def frames_of(path: Path) -> list[Frame]:
    with open_source(path) as source:
        return [frame for frame in source if isinstance(frame, Frame)]


def test_a_video_is_its_frames_in_order(clip: Path) -> None:
    frames = frames_of(clip)
    assert [frame.index for frame in frames] == [*range(1, 13)]
    assert np.allclose([frame.time for frame in frames], np.arange(12) / 25)
    assert frames[2].name == f"{clip}, frame 3"
    for frame, drawn in zip(frames, pictures(12), strict=True):
        assert frame.pixels.shape == drawn.shape
        assert np.abs(frame.pixels.astype(int) - drawn).mean() < 12  # what the encoder lost


def test_times_are_the_frames_own(tmp_path: Path) -> None:
    times = [2.0, 2.04, 2.5, 4.0]
    write_clip(tmp_path / "a.mkv", list(pictures(4)), times=times)
    found = [frame.time for frame in frames_of(tmp_path / "a.mkv")]
    assert np.allclose(found, np.array(times) - 2, atol=1e-3)


def test_frames_without_a_time_follow_one_another(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.h264", list(pictures(4)), form="h264", options={"bf": "0"})
    times = [frame.time for frame in frames_of(tmp_path / "a.h264")]
    assert times[0] == 0 and all(earlier < later for earlier, later in pairwise(times))


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_runner_runs_on_a_video(runner: Runner, clip: Path, batch_size: int) -> None:
    results = list(runner.run(clip, batch_size))
    assert len(results) == 12
    for index, (result, frame) in enumerate(zip(results, frames_of(clip), strict=True), 1):
        assert isinstance(result, Result) and isinstance(result.source, Frame)
        assert (result.index, result.time) == (index, frame.time)
        assert np.array_equal(result.source.pixels, frame.pixels)
        assert np.array_equal(result.labels, runner(frame.pixels).labels)


@pytest.mark.parametrize("is_read", [True, False])
def test_a_video_is_read_once(clip: Path, is_read: bool) -> None:
    source = open_source(clip)
    if is_read:
        assert sum(1 for _ in source) == 12
    else:
        source.close()
    with pytest.raises(InputError, match=r"clip\.mp4: it was read already, or closed") as caught:
        next(iter(source))
    assert caught.value.hint == "open it again"
    source.close()


def test_a_second_run_of_one_source_says_why_there_is_none(runner: Runner, clip: Path) -> None:
    source = open_source(clip)
    assert len(list(runner.run(source))) == 12
    with pytest.raises(InputError, match="it was read already, or closed"):
        list(runner.run(source))


def test_of_several_sources_none_stays_open_where_one_is_refused(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(Video, "close", lambda self: closed.append(self.name))
    for second, problem in (
        (str(clip), "expected a video or a camera alone"),
        (f"{clip}.none.mp4", "no such file"),
    ):
        with pytest.raises(InputError, match=problem):
            open_sources([str(clip), second], SourceOptions())
    assert closed == [str(clip)] * 3


def test_an_image_has_no_time(runner: Runner) -> None:
    result = runner(next(pictures(1)))
    assert result.time is result.index is None


def test_a_size_that_changes_is_each_frames_own(runner: Runner, tmp_path: Path) -> None:
    """Two streams of MPEG-TS one after another are one stream."""
    both = b""
    for height, width in ((48, 64), (32, 96)):
        part = tmp_path / "part.ts"
        write_clip(part, list(pictures(3, height, width)), form="mpegts")
        both += part.read_bytes()
    (tmp_path / "both.ts").write_bytes(both)
    shapes = [result.labels.shape for result in runner.run(tmp_path / "both.ts") if result.ok]
    assert shapes == [(48, 64)] * 3 + [(32, 96)] * 3


def test_a_frame_larger_than_allowed_is_skipped(
    monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    monkeypatch.setattr(runner_module, "open_artifact", lambda *_: (MANIFEST, ToyProgram()))
    with Runner("toy.pt", max_pixels=1000) as small:
        first = next(small.run(clip))
    assert not first.ok and first.path == f"{clip}, frame 1"
    assert first.reason.startswith("64 x 48 pixels, more than the 1,000 that are decoded")


def test_broken_frames_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write_clip(path, list(pictures(5)), options={"g": "1"})  # each decodes by itself
    damage(path, 2)
    with open_source(path) as source:
        assert len(list(source)) == 4
        assert source.losses.broken == 1


def test_a_file_that_is_cut_off_gives_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write_clip(path, list(pictures(40)), options={"bf": "0"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_source(path) as source:
        assert 5 < len(list(source)) < 40


def test_an_mp4_without_its_end_says_so(clip: Path) -> None:
    clip.write_bytes(clip.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"clip.mp4: cannot be read as a video: Invalid data"):
        open_source(clip)


@pytest.mark.parametrize("cover", [None, next(pictures(1))], ids=["bare", "cover"])
def test_a_file_of_sound_alone_says_so(cover: Any, tmp_path: Path) -> None:
    write_sound(tmp_path / "a.mp4", cover)
    with pytest.raises(InputError, match=r"a.mp4: no video in it can be decoded, only audio"):
        open_source(tmp_path / "a.mp4")


def test_a_file_without_one_frame_says_so(tmp_path: Path) -> None:
    """Only the first bytes of the only frame are there."""
    path = tmp_path / "a.mkv"
    write_clip(path, list(pictures(1, 480, 640)), codec="mjpeg", pixels="yuvj420p")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\xff\xd8") + 200])
    with open_source(path) as source, pytest.raises(InputError, match="not one frame in it"):
        list(source)


@pytest.mark.parametrize("content", [b"", b"no video at all"])
def test_what_is_no_video_says_so(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(InputError, match=r"a.mp4: cannot be read as a video: Invalid data"):
        open_source(tmp_path / "a.mp4")
    with pytest.raises(InputError, match=r"b.mp4: no such file"):
        open_source(tmp_path / "b.mp4")


def test_a_file_does_not_open_what_it_names(clip: Path, tmp_path: Path) -> None:
    """A playlist that is called a video: what it names may be anywhere."""
    playlist = tmp_path / "list.mp4"
    playlist.write_text(f"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/{clip.name}\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputError, match=r"list.mp4: (cannot be read as a video|no video)"):
        list(open_source(playlist))


def test_without_pyav_it_says_how_to_get_it(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    for place in (str(clip), "rtsp://127.0.0.1/a"):
        with pytest.raises(MissingPackageError) as caught:
            open_source(place)
        assert caught.value.problem == f"{place}: reading videos and cameras needs PyAV"
        assert caught.value.hint == "pip install 'mpm-deploy[video]'"
