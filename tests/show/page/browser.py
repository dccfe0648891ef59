"""A headless Chromium, spoken to over its debugging pipe: nothing but the browser is needed.

Messages are JSON, each ended by a zero byte: commands go to its file 3, answers and events come
from its file 4 (https://chromedevtools.github.io/devtools-protocol).
"""

import base64
import fcntl
import io
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PATIENCE = 60.0  # seconds for an answer
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_TROUBLE = {"Runtime.exceptionThrown", "Log.entryAdded"}


def find_chromium() -> str | None:
    """The browser of this machine, if it has one."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Tab:
    """One page at a time, and all that the browser says meanwhile."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def open(self, page: Path, width: int, height: int, scheme: str) -> None:
        """Load a file at a screen's size, in the "light" or "dark" scheme."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.send("Emulation.setDeviceMetricsOverride", **screen)
        preference = {"name": "prefers-color-scheme", "value": scheme}
        self.send("Emulation.setEmulatedMedia", features=[preference])
        self.events.clear()
        self.send("Page.navigate", url=page.as_uri())
        deadline = time.monotonic() + PATIENCE
        while not self.happened("Page.loadEventFired"):
            self._receive(deadline)

    def happened(self, method: str) -> list[dict[str, Any]]:
        """What one kind of event said since the page was opened."""
        return [event["params"] for event in self.events if event["method"] == method]

    def complaints(self) -> list[str]:
        """All that would stand in the console as an error or a warning."""
        self.evaluate("0")  # events come before the answer
        said = [str(event) for event in self.events if event["method"] in _TROUBLE]
        calls = self.happened("Runtime.consoleAPICalled")
        return said + [str(call) for call in calls if call["type"] in ("error", "warning")]

    def addresses(self) -> list[str]:
        """Everything that the page loaded."""
        return [event["request"]["url"] for event in self.happened("Network.requestWillBeSent")]

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in JavaScript."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def screenshot(self) -> NDArray[np.uint8]:
        """The whole page ``(height, width, 3)``, also what is below the screen."""
        answer = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        with Image.open(io.BytesIO(base64.b64decode(answer["data"]))) as picture:
            return np.asarray(picture.convert("RGB"))

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command, and its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                raise TimeoutError(f"the browser said nothing for {PATIENCE:.0f} s")
            piece = os.read(self._answers, 1 << 20)
            if not piece:
                raise ConnectionError("the browser went away")
            self._rest += piece
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message


@contextmanager
def chromium(program: str, profile: Path) -> Iterator[Tab]:
    """Start a browser with a profile folder of its own, and end it."""
    read_commands, write_commands = _pipe()
    read_answers, write_answers = _pipe()
    # it wants files 3 and 4, which are ours for other things
    redirect = f'exec "$@" 3</dev/fd/{read_commands} 4>/dev/fd/{write_answers}'
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    options += ["--no-first-run", "--disable-background-networking", "--hide-scrollbars"]
    options += ["--remote-debugging-pipe", f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        ["sh", "-c", redirect, "sh", program, *options],
        pass_fds=(read_commands, write_answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(read_commands)
    os.close(write_answers)
    try:
        tab = Tab(write_commands, read_answers)
        yield tab
        tab.send("Browser.close")
    finally:
        os.close(write_commands)  # a browser without its pipe leaves by itself
        os.close(read_answers)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _pipe() -> tuple[int, int]:
    """Both ends, numbered from 10 up."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]
