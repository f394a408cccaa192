"""Chromium without a window, driven over a pipe by its own protocol (Chrome DevTools Protocol).

Debian's ``chromium`` and the standard library are all that it takes.
"""

import base64
import fcntl
import json
import os
import selectors
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_S = 60.0
"""Longest wait for an answer: a hung browser fails a test and does not hang it."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--remote-debugging-pipe",
)
KEY_CODES = {"ArrowUp": 38, "ArrowDown": 40, "ArrowLeft": 37, "ArrowRight": 39, " ": 32}


class Browser:
    """One tab; what the page complains of is in ``complaints``."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._ready = selectors.DefaultSelector()
        self._ready.register(answers, selectors.EVENT_READ)
        self._held = b""
        self._last = 0
        self._session = ""
        self._loaded = False
        self.complaints: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        """Send a command and return its result."""
        self._last += 1
        asked: dict[str, object] = {"id": self._last, "method": method, "params": params}
        if self._session:
            asked["sessionId"] = self._session
        message = json.dumps(asked).encode() + b"\0"
        while message:
            message = message[os.write(self._commands, message) :]
        while True:
            told = self._next()
            if told.get("id") == self._last:
                assert "error" not in told, f"{method}: {told['error']}"
                return dict(told["result"])

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_S
        while b"\0" not in self._held:
            assert self._ready.select(until - time.monotonic()), "chromium does not answer"
            piece = os.read(self._answers, 1 << 20)
            assert piece, "chromium has ended"
            self._held += piece
        message, self._held = self._held.split(b"\0", 1)
        told: dict[str, Any] = json.loads(message)
        self._note(told.get("method"), told.get("params", {}))
        return told

    def _note(self, method: str | None, params: dict[str, Any]) -> None:
        match method:
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.exceptionThrown":
                self.complaints.append(str(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in {"error", "warning"}:
                self.complaints.append(str(params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(params["entry"]["text"])
            case "Network.requestWillBeSent" if params["request"]["url"].startswith("http"):
                self.complaints.append(f"asks the network for {params['request']['url']}")

    def open(self, path: Path) -> None:
        """Load a page and wait until it is there."""
        self._loaded = False
        self.complaints.clear()
        self.ask("Page.navigate", url=path.as_uri())
        while not self._loaded:
            self._next()

    def run(self, expression: str) -> Any:
        """Return what an expression is worth on the page; a promise is waited for."""
        told = self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression holds."""
        until = time.monotonic() + PATIENCE_S
        while not self.run(expression):
            assert time.monotonic() < until, f"never true: {expression}"

    def screen(
        self, width: int, height: int, *, dark: bool = False, is_phone: bool = False
    ) -> None:
        """Set size, theme and kind of the screen."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=is_phone,
        )
        self.ask("Emulation.setTouchEmulationEnabled", enabled=is_phone, maxTouchPoints=2)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[theme])

    def press(self, key: str) -> None:
        """Press and release a key."""
        code = KEY_CODES.get(key, ord(key[0].upper()))
        text = {"text": key} if len(key) == 1 else {}
        for kind, more in (("keyDown", text), ("keyUp", {})):
            self.ask(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=code,
                **more,
            )

    def mouse(self, kind: str, x: float, y: float, **more: object) -> None:
        """Send a mouse event: ``mousePressed``, ``mouseMoved``, ``mouseWheel``..."""
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def swipe(
        self, *fingers: tuple[tuple[float, float], tuple[float, float]], steps: int = 8
    ) -> None:
        """Move fingers, each from one point to another."""

        def at(share: float) -> list[dict[str, float]]:
            return [
                {"x": a[0] + (b[0] - a[0]) * share, "y": a[1] + (b[1] - a[1]) * share, "id": i}
                for i, (a, b) in enumerate(fingers)
            ]

        self.ask("Input.dispatchTouchEvent", type="touchStart", touchPoints=at(0))
        for step in range(1, steps + 1):
            self.ask("Input.dispatchTouchEvent", type="touchMove", touchPoints=at(step / steps))
        self.ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def picture(self, *, whole: bool = False) -> bytes:
        """Return what is seen, or the whole page, as PNG."""
        told = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(told["data"])

    def print_a4(self) -> bytes:
        """Return the page as it prints on A4."""
        told = self.ask(
            "Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=True
        )
        return base64.b64decode(told["data"])


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start a browser on a fresh profile and end it."""
    commands, to_browser = os.pipe()
    from_browser, answers = os.pipe()
    # The browser reads descriptor 3 and writes 4; the shell puts them there from higher ones.
    reads = fcntl.fcntl(commands, fcntl.F_DUPFD, 10)
    writes = fcntl.fcntl(answers, fcntl.F_DUPFD, 10)
    os.close(commands)
    os.close(answers)
    process = subprocess.Popen(
        [
            "bash",
            "-c",
            f'exec "$@" 3<&{reads} 4>&{writes}',
            "chromium",
            str(CHROMIUM),
            *FLAGS,
            f"--user-data-dir={profile}",
        ],
        pass_fds=(reads, writes),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(reads)
    os.close(writes)
    try:
        yield Browser(to_browser, from_browser)
    finally:
        process.kill()
        process.wait()
        os.close(to_browser)
        os.close(from_browser)
