"""Several workers on this machine."""

import contextlib
import json
import socket


def configs(number):
    """`TF_CONFIG` of each of so many workers on this machine."""
    with contextlib.ExitStack() as stack:
        doors = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        addresses = [f"127.0.0.1:{door.getsockname()[1]}" for door in doors]
    tasks = [{"type": "worker", "index": i} for i in range(number)]
    return [{"TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task})} for task in tasks]
