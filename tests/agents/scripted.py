"""An agent that follows the lines of its prompt: `python scripted.py FORMAT [PROMPT]`, else it's on stdin.

FORMAT is `claude` (stream-json), `steered` (the same, and told by stream-json), `text` or `tty` (as text, but first it asks whether to go on). A line
of the prompt is `say: TEXT`, `tool: TEXT`, `exit: N`, `fail: REASON`, `touch: FILE`, `wait`, `half`, `stall`,
`twice: TEXT`, `hear` (repeats the next message), or `ask: JSON` for children of its own, with what the prompt says about that; all others
are passed over.
"""

import json
import os
import re
import sys
import time

FORMAT = sys.argv[1]
STREAM = FORMAT in ("claude", "steered")


def told() -> str:
    message = json.loads(sys.stdin.readline())
    return str(message["message"]["content"][0]["text"])


if len(sys.argv) > 2:
    PROMPT = sys.argv[2]
elif FORMAT == "steered":
    PROMPT = told()
else:
    PROMPT = sys.stdin.read() if FORMAT != "tty" else ""
COUNT = 0


def put(message: object) -> None:
    sys.stdout.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
    sys.stdout.flush()


def said(text: str, uuid: str | None = None) -> None:
    global COUNT
    COUNT += 1
    if not STREAM:
        put(text)
        return
    ident = uuid or f"m{COUNT}"
    start = {"type": "message_start", "message": {"id": ident}}
    put({"type": "stream_event", "event": start, "uuid": f"{ident}-s"})
    for at in range(0, len(text), 5):
        delta = {"type": "text_delta", "text": text[at : at + 5]}
        event = {"type": "content_block_delta", "index": 0, "delta": delta}
        put({"type": "stream_event", "event": event, "uuid": f"{ident}-{at}"})
    whole = {"id": ident, "content": [{"type": "text", "text": text}]}
    put({"type": "assistant", "message": whole, "uuid": f"{ident}-w"})


def end(ok: bool, reason: str, code: int) -> None:
    if STREAM:
        put({"type": "result", "subtype": "success", "is_error": not ok, "result": reason, "num_turns": 1})
        if FORMAT == "steered":
            sys.stdin.read()
    sys.exit(code)


if FORMAT == "tty":
    sys.stdout.write("Go on? [y/N] ")
    sys.stdout.flush()
    if sys.stdin.readline().strip() != "y":
        sys.exit(3)
if STREAM:
    put({"type": "system", "subtype": "init", "session_id": "s1", "model": "scripted"})
for line in PROMPT.split("\n"):
    word, _, rest = line.strip().partition(": ")
    if word == "say":
        said(rest)
    elif word == "twice":
        said(rest, "same")
        said(rest, "same")
    elif word == "hear":
        said(f"heard {told()}")
    elif word == "tool":
        block = {"type": "tool_use", "id": rest, "name": "Bash", "input": {"command": rest}}
        put({"type": "assistant", "message": {"id": "t", "content": [block]}} if STREAM else f"$ {rest}")
    elif word == "touch":
        with open(rest, "w") as file:
            file.write("touched\n")
        said(f"in {os.getcwd()}")
    elif word == "ask":
        words = re.search(r"the two words (\w+) and (\w+)", PROMPT)
        nonce = "".join(words.groups()) if words else "none"
        said(f"AXIOM-SPAWN {json.dumps({'nonce': nonce, 'tasks': json.loads(rest)})}")
    elif word == "fail":
        end(False, rest, 0)
    elif word == "exit":
        end(True, "", int(rest))
    elif word == "half":
        sys.stdout.write('{"type": "assistant", "mess')
        sys.stdout.flush()
        os._exit(0)
    elif word == "stall":
        sys.stdout.write('{"type": "assis')
        sys.stdout.flush()
        time.sleep(1000)
    elif word == "wait":
        time.sleep(1000)
end(True, "done", 0)
