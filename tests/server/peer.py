"""A viewer that `websockets` makes: writes what each child said to a file, and drops the connection in between.

Called with the port, a directory and after how many messages it drops it; the token comes on stdin.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from websockets.sync.client import connect


def main(port: str, directory: str, drop_after: str) -> None:
    token = sys.stdin.readline().strip()
    cursor: int | None = None
    files: dict[str, Any] = {}
    ended = 0
    told = {"drops": 0, "wrong": [], "gaps": 0}
    while True:
        with connect(
            f"ws://127.0.0.1:{port}/ws",
            subprotocols=["axiom.v1", f"axiom.token.{token}"],
            max_size=None,
            compression=None,
        ) as socket:
            assert json.loads(socket.recv())["type"] == "hello"
            socket.send(json.dumps({"type": "subscribe", "data": {"after": cursor, "stats": 0}}))
            for number, message in enumerate(socket):
                for line in message.splitlines():
                    event = json.loads(line)
                    if event["type"] == "end":
                        print(json.dumps(told))
                        return
                    told["gaps"] += event["type"] == "gap"
                    if event["cursor"] != (0 if cursor is None else cursor + 1):
                        told["wrong"].append([cursor, event["cursor"]])
                    cursor = event["cursor"]
                    ended += event["type"] == "complete"
                    if ended == 10:  # all but the one that waits for us
                        Path(directory, "go").touch()
                    if event["type"] == "stream":
                        name = event["data"]["name"]
                        if name not in files:
                            files[name] = Path(directory, name).open("w", newline="")  # noqa: SIM115 (to the end)
                        files[name].write(event["data"]["text"])
                if number >= int(drop_after) and told["drops"] < 5:
                    told["drops"] += 1
                    break
            socket.socket.close() if told["drops"] % 2 else socket.close()  # in a word, or in none


main(*sys.argv[1:])
