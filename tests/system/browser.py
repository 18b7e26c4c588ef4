"""A headless Chromium, spoken to through two pipes: pages as people see them.

Its protocol: https://chromedevtools.github.io/devtools-protocol/ ; JSON messages, each ended by NUL, on
descriptors 3 (to it) and 4 (from it) with --remote-debugging-pipe.
"""
import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

NAMES = ["chromium", "chromium-browser", "google-chrome"]
DEADLINE_S = 60


def find():
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="browser-")
        to_read, self.to_write = os.pipe()
        self.to_listen, to_tell = os.pipe()
        command = [find(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--no-first-run", "--disable-extensions", "--disable-background-networking",
                   "--disable-component-update", "--hide-scrollbars", "--user-data-dir=" + self.folder,
                   "--remote-debugging-pipe", "about:blank"]

        def wire():
            # The ends may sit on each other's numbers: both are moved out of the way first.
            a, b = os.dup(to_read), os.dup(to_tell)
            a, b = (fd if fd > 4 else os.dup(os.dup(fd)) for fd in (a, b))
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(command, preexec_fn=wire, close_fds=False, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        os.close(to_read)
        os.close(to_tell)
        self.number, self.pending, self.events = 0, b"", []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(DEADLINE_S)
        os.close(self.to_write)
        os.close(self.to_listen)
        shutil.rmtree(self.folder, ignore_errors=True)

    def read_message(self, end):
        while b"\0" not in self.pending:
            ready, _, _ = select.select([self.to_listen], [], [], max(0, end - time.monotonic()))
            data = os.read(self.to_listen, 1 << 20) if ready else b""
            if not data:
                raise AssertionError("the browser did not answer" if not ready else "the browser went away")
            self.pending += data
        message, _, self.pending = self.pending.partition(b"\0")
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if getattr(self, "session", None):
            request["sessionId"] = self.session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.to_write, data):]
        end = time.monotonic() + DEADLINE_S
        while True:
            message = self.read_message(end)
            if message.get("id") == self.number:
                if "error" in message:
                    raise AssertionError("%s: %s" % (method, message["error"]))
                return message["result"]
            self.events.append(message)

    def wait_for(self, method):
        end = time.monotonic() + DEADLINE_S
        while not any(e.get("method") == method for e in self.events):
            self.events.append(self.read_message(end))

    def look(self, path, width, height=900, dark=False):
        """Opens the file or URL in a window of that size; what was complained of or asked for is in `events`."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", media="screen", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.events = []
        self.call("Page.navigate", url=path if "://" in path else "file://" + os.path.abspath(path))
        self.wait_for("Page.loadEventFired")

    def ask(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise AssertionError(result["exceptionDetails"])
        return result["result"].get("value")

    def complaints(self):
        """Messages on the console, exceptions, and requests for anything but the page itself."""
        found = []
        for event in self.events:
            method, parameters = event.get("method"), event.get("params", {})
            if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded",
                          "Page.javascriptDialogOpening"):
                found.append((method, str(parameters)[:300]))
            elif method == "Network.requestWillBeSent" and parameters.get("type") != "Document":
                found.append((method, parameters["request"]["url"][:300]))
        return found

    def picture(self, whole=True):
        options = {"captureBeyondViewport": True} if whole else {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            options["clip"] = dict(x=0, y=0, width=size["width"], height=size["height"], scale=1)
        return base64.b64decode(self.call("Page.captureScreenshot", **options)["data"])

    def paper(self):
        """The page as PDF, A4, from a screen that is dark."""
        self.call("Emulation.setEmulatedMedia", media="print", features=[
            {"name": "prefers-color-scheme", "value": "dark"}])
        result = self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=True)
        return base64.b64decode(result["data"])
