# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A page as a reader's browser shows it: what it asks for, what its console says, what is in it, how it looks.

Chromium without a screen, told what to do by its DevTools protocol. It resolves no name, so that nothing leaves the machine.
"""
from __future__ import annotations

import base64
import json
import pathlib
import shutil
import subprocess
import time

import websocket

PROGRAMS = ("chromium", "chromium-headless-shell")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
         "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-port=0", "--remote-allow-origins=*",
         "--hide-scrollbars", "--window-size=1200,1600")
PATIENCE = 60
FIGURES = """[...document.querySelectorAll('[data-figure]')].map(e => [e.dataset.figure, e.textContent])"""
WIDE = """Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)"""


class Browser:
    """with Browser(directory) as browser: browser.open(path)"""

    def __init__(self, directory):
        self._profile = pathlib.Path(directory) / "chromium"
        self._number = 0

    @staticmethod
    def program():
        """The path of the browser, or None."""
        return next(filter(None, map(shutil.which, PROGRAMS)), None)

    def __enter__(self):
        self._process = subprocess.Popen([self.program(), *FLAGS, "--user-data-dir=%s" % self._profile, "about:blank"],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self._profile / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE
        while not (port.exists() and len(port.read_text().split()) == 2):
            assert self._process.poll() is None and time.monotonic() < deadline, "the browser did not start"
            time.sleep(0.05)
        number, path = port.read_text().split()
        self._socket = websocket.create_connection("ws://127.0.0.1:%s%s" % (number, path), timeout=PATIENCE)
        self._events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(domain + ".enable")
        return self

    def __exit__(self, *_failure):
        self._socket.close()
        self._process.terminate()
        self._process.wait(PATIENCE)

    def call(self, method, **params):
        """The result of a command; events that come before it are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if getattr(self, "_session", None):
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._number:
                assert "error" not in answer, "%s: %s" % (method, answer["error"])
                return answer["result"]
            self._events.append(answer)

    def open(self, path):
        """Load a file to its end. Returns what it asked for beside itself, and what the console said."""
        self._events = []
        url = pathlib.Path(path).as_uri()
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + PATIENCE
        while not any(event.get("method") == "Page.loadEventFired" for event in self._events):
            assert time.monotonic() < deadline
            self.call("Runtime.evaluate", expression="1")
        asked = [event["params"]["request"]["url"] for event in self._events if event.get("method") == "Network.requestWillBeSent"]
        said = [event["params"] for event in self._events
                if event.get("method") in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")]
        return [found for found in asked if found != url], said

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]["value"]

    @property
    def figures(self):
        """{path in the document: what is shown for it}."""
        return dict(self.evaluate(FIGURES))

    @property
    def overflow(self):
        """How many pixels the page is wider than the window."""
        return self.evaluate(WIDE)

    def look(self, path, media="screen", scheme="light"):
        """Save how the whole page looks, on the screen or as printed."""
        self.call("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))

    def colour(self, selector, name="background-color"):
        return self.evaluate("getComputedStyle(document.querySelector(%s)).getPropertyValue(%s)" % (
            json.dumps(selector), json.dumps(name)))

    def print(self, path):
        """Save the page as it is printed, a PDF."""
        printed = self.call("Page.printToPDF", printBackground=False)
        pathlib.Path(path).write_bytes(base64.b64decode(printed["data"]))
