"""A server on the loopback interface that imitates the Hugging Face hub, as far as we download and upload."""

import base64
import contextlib
import hashlib
import http.server
import json
import threading

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_of_a_test"


@contextlib.contextmanager
def serve(repositories):
    """Serves folders, a dict from "user/name" to a path. Yields the address and the list of requested paths.

    Whoever has the token may upload to them; large files go the way of git LFS, as the hub has it.
    """
    requests, objects = [], {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            parts = self.path.split("?")[0].strip("/").split("/")
            if parts == ["api", "whoami-v2"]:
                self._json({"name": "user"}) if self._knows_token() else self._refuse()
            elif parts[0] == "api" and "/".join(parts[2:4]) in repositories:
                self._model("/".join(parts[2:4]), parts[4])
            elif "/".join(parts[:2]) in repositories and parts[2] == "resolve":
                self._file(repositories["/".join(parts[:2])].joinpath(*parts[4:]))
            else:
                self._answer(404, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})

        do_HEAD = do_GET

        def do_POST(self):
            requests.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            parts = self.path.split("?")[0].strip("/").split("/")
            if not self._knows_token():
                self._refuse()
            elif parts == ["api", "repos", "create"]:
                name = "/".join(filter(None, (json.loads(body).get("organization"), json.loads(body)["name"])))
                self._json({"url": f"http://{self.headers['Host']}/{name if '/' in name else 'user/' + name}"})
            elif parts == ["api", "validate-yaml"]:
                self._json({"errors": [], "warnings": []})
            elif parts[-2:-1] == ["preupload"]:
                modes = [(file["path"], file["size"] > 4000) for file in json.loads(body)["files"]]
                modes = [
                    {"path": n, "uploadMode": "lfs" if big else "regular", "shouldIgnore": False} for n, big in modes
                ]
                self._json({"files": modes})
            elif parts[-1] == "batch":
                found = json.loads(body)["objects"]
                actions = [{"upload": {"href": f"http://{self.headers['Host']}/lfs/{o['oid']}"}} for o in found]
                self._json({"objects": [o | {"actions": action} for o, action in zip(found, actions)]})
            else:
                self._commit("/".join(parts[2:4]), map(json.loads, body.splitlines()))

        def do_PUT(self):
            objects[self.path.split("/")[-1]] = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(200, b"", {})

        def _commit(self, name, lines):
            folder = repositories[name]
            for line in lines:
                if line["key"] != "header":
                    value, file = line["value"], folder / line["value"]["path"]
                    file.parent.mkdir(parents=True, exist_ok=True)
                    whole = line["key"] == "file"
                    file.write_bytes(base64.b64decode(value["content"]) if whole else objects[value["oid"]])
            self._json({"commitUrl": f"http://{self.headers['Host']}/{name}/commit/{COMMIT}", "commitOid": COMMIT})

        def _knows_token(self):
            return self.headers.get("Authorization") == f"Bearer {TOKEN}"

        def _refuse(self):
            self._answer(401, b"", {"X-Error-Message": "Invalid username or password."})

        def _json(self, content):
            self._answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

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
            if self.command != "HEAD":
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
def pretend(repositories, cache, monkeypatch, token=""):
    """Lets `hf://` names mean the folders of `serve`, for a user with a token. Yields the list of requested paths."""
    from huggingface_hub import constants

    with serve(repositories) as (address, requests):
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", not token)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", token)
        yield requests
