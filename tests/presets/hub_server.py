"""A server on the loopback interface that imitates the Hugging Face hub, as far as downloads need it."""

import contextlib
import hashlib
import http.server
import json
import threading

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextlib.contextmanager
def serve(repositories):
    """Serves folders, a dict from "user/name" to a path. Yields the address and the list of requested paths."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            parts = self.path.split("?")[0].strip("/").split("/")
            if parts[0] == "api" and "/".join(parts[2:4]) in repositories:
                self._model("/".join(parts[2:4]), parts[4])
            elif "/".join(parts[:2]) in repositories and parts[2] == "resolve":
                self._file(repositories["/".join(parts[:2])].joinpath(*parts[4:]))
            else:
                self._answer(404, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})

        do_HEAD = do_GET

        def _model(self, name, kind):
            files = [file for file in sorted(repositories[name].rglob("*")) if file.is_file()]
            names = [file.relative_to(repositories[name]).as_posix() for file in files]
            if kind == "tree":
                sizes = [file.stat().st_size for file in files]
                content = [{"type": "file", "path": n, "size": s, "oid": "0" * 40} for n, s in zip(names, sizes)]
            else:
                content = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": n} for n in names]}
            self._answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

        def _file(self, path):
            if not path.is_file():
                self._answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
                return
            content = path.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()}"'
            self._answer(200, content, {"ETag": etag, "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"})

        def _answer(self, status, content, headers):
            self.send_response(status)
            for key, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def pretend(repositories, cache, monkeypatch):
    """Lets `hf://` names mean the folders of `serve`. Yields the list of requested paths."""
    from huggingface_hub import constants

    with serve(repositories) as (address, requests):
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
        yield requests
