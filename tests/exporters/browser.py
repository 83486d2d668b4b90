"""A headless Chromium that shows a page from the loopback interface and is told what the page found out."""

import contextlib
import functools
import http.server
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Every other address is unknown to it, so that a page that needs one fails.
_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-component-update")
_OPTIONS += ("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",)


class _Handler(http.server.SimpleHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
        self.server.found.put(json.loads(body))

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder: Path):
    """Yields a server of the folder, whose `found` receives what pages POST."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))
    server.found = queue.Queue()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def found_by(folder: Path, page: str, seconds: float = 120.0):
    """Shows a page of the folder, and returns the first object that it POSTs."""
    with served(folder) as server, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        address = f"http://127.0.0.1:{server.server_port}/{page}"
        command = [CHROMIUM, *_OPTIONS, f"--user-data-dir={profile}", address]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, start_new_session=True, **pipes)
        try:
            return server.found.get(timeout=seconds)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
