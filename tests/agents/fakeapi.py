"""A model that does what it is told, behind the APIs that agents' CLIs talk to; on 127.0.0.1 only.

What a person types to the agent says what the model shall do: `PLEASE RUN touch a`, `PLEASE WRITE a.txt`,
`PLEASE EDIT a.txt`, `PLEASE SAY so`, `PLEASE PLAN`, `PLEASE WAIT 3`, and `PLEASE CALL tool 7b7d`, of an MCP
server `axiom`, with its arguments' JSON in hexadecimal; several with ` THEN ` between. Each tool call is one
answer, and the last answer is text. `PLEASE DIVIDE RUN touch a AND SAY b` answers with a plan of
these subtasks, `PLEASE ASK RUN touch a AND SAY b` asks for children who do them, as the prompt says how.

    python -m tests.agents.fakeapi       prints its address and each request, until it's ended
"""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Step: TypeAlias = tuple[str, str]

ASKED = re.compile(r"PLEASE ((?:RUN|WRITE|EDIT|SAY|PLAN|WAIT|DIVIDE|ASK|CALL)\b[^\n<\"\\]*)")
NONCE = re.compile(r"the two words (\w+) and (\w+),")
DONE = "All done."
OLD, NEW = "alpha", "omega"
"""What `EDIT` replaces in a file, and by what."""


def parse(text: str) -> list[Step]:
    """The steps that the last request in a text asks for."""
    asked = ASKED.findall(text)
    steps = re.split(r" THEN ", asked[-1].strip()) if asked else []
    return [(word, rest.strip()) for word, _, rest in (step.partition(" ") for step in steps)]


def due(conversation: list[tuple[str, str]]) -> list[Step]:
    """What to do now, after a conversation of `("said" | "result", text)`: some waiting, and one deed."""
    done = 0
    steps: list[Step] = []
    for kind, text in conversation:
        if kind == "result":
            done += 1
        elif ASKED.search(text):
            steps, done = parse(text), 0
    waits: list[Step] = []
    for word, rest in steps:
        if word == "WAIT":
            waits.append((word, rest))
        elif done:
            done -= 1
            waits = []
        else:
            return [*waits, (word, rest)]
    return [*waits, ("SAY", DONE)]


def spelled_out(step: Step, conversation: list[tuple[str, str]]) -> Step:
    """What is said instead of a plan or a request."""
    word, rest = step
    tasks = [f"PLEASE {task}" for task in rest.split(" AND ")]
    if word == "DIVIDE":
        return "SAY", json.dumps({"subtasks": tasks})
    if word == "ASK":
        nonce = "".join(NONCE.findall("\n".join(text for _, text in conversation))[-1])
        return "SAY", f"AXIOM-SPAWN {json.dumps({'nonce': nonce, 'tasks': tasks})}"
    return step


def flat(content: Any) -> str:
    """The text in what an API has for a content."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(flat(part) for part in content)
    return str(content.get("text") or "") if isinstance(content, dict) else ""


def sse(name: str | None, data: Any) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


class Api:
    """What all requests have in common: `self.steps` is done, and how is for the subclasses to say."""

    def __init__(self, body: dict[str, Any], *, escalates: bool = True) -> None:
        self.body = body
        self.escalates = escalates
        conversation = self.conversation()
        self.steps = [spelled_out(step, conversation) for step in due(conversation)]

    def conversation(self) -> list[tuple[str, str]]:
        raise NotImplementedError

    def events(self, word: str, rest: str) -> list[bytes]:
        raise NotImplementedError

    def called(self, rest: str, names: Iterable[str]) -> tuple[str, dict[str, Any]]:
        """The tool that is to be called, by the name that the agent has given it, and its arguments."""
        tool, _, arguments = rest.partition(" ")
        return next(name for name in names if name.endswith(tool)), json.loads(bytes.fromhex(arguments))

    def answer(self) -> Iterator[bytes]:
        for word, rest in self.steps:
            if word == "WAIT":
                time.sleep(float(rest))
            else:
                yield from self.events(word, rest)


class Anthropic(Api):
    def conversation(self) -> list[tuple[str, str]]:
        found = []
        for message in self.body.get("messages", []):
            content = message["content"]
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            for part in parts:
                if part.get("type") == "tool_result":
                    found.append(("result", ""))
                elif part.get("type") == "text" and message["role"] == "user":
                    found.append(("said", part["text"]))
        return found if self.body.get("tools") else []

    def events(self, word: str, rest: str) -> list[bytes]:
        tool = {
            "RUN": ("Bash", {"command": rest, "description": "Do as told"}),
            "WRITE": ("Write", {"file_path": rest, "content": f"{OLD}\nbeta\n"}),
            "EDIT": ("Edit", {"file_path": rest, "old_string": OLD, "new_string": NEW}),
            "PLAN": ("ExitPlanMode", {"plan": "1. Look\n2. Write"}),
        }.get(word)
        if word == "CALL":
            tool = self.called(rest, (tool["name"] for tool in self.body["tools"]))
        block: dict[str, Any] = {"type": "text", "text": ""}
        delta: dict[str, Any] = {"type": "text_delta", "text": rest}
        if tool:
            ident = f"toolu_{time.monotonic_ns()}"
            block = {"type": "tool_use", "id": ident, "name": tool[0], "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(tool[1])}
        message = {
            "id": f"msg_{time.monotonic_ns()}",
            "type": "message",
            "role": "assistant",
            "model": self.body.get("model", "fake"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 9, "output_tokens": 1},
        }
        end = "tool_use" if tool else "end_turn"
        if not self.body.get("stream"):
            text = json.dumps({"title": "A task"}) if "output_config" in self.body else rest
            message |= {"content": [{"type": "text", "text": text}], "stop_reason": end}
            return [json.dumps(message).encode()]
        return [
            sse("message_start", {"type": "message_start", "message": message}),
            sse("content_block_start", {"type": "content_block_start", "index": 0, "content_block": block}),
            sse("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}),
            sse("content_block_stop", {"type": "content_block_stop", "index": 0}),
            sse(
                "message_delta",
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": end, "stop_sequence": None},
                    "usage": {"output_tokens": 9},
                },
            ),
            sse("message_stop", {"type": "message_stop"}),
        ]


class Responses(Api):
    """OpenAI's, as Codex uses it."""

    def conversation(self) -> list[tuple[str, str]]:
        found = []
        for item in self.body.get("input", []):
            kind = item.get("type")
            if kind in ("function_call_output", "custom_tool_call_output"):
                found.append(("result", ""))
            elif kind == "message" and item["role"] == "user":
                found.append(("said", flat(item["content"])))
        aside = "format" in (self.body.get("text") or {})  # a title for the task, and the like
        return [] if aside else found

    def events(self, word: str, rest: str) -> list[bytes]:
        call = f"call_{time.monotonic_ns()}"
        item: dict[str, Any]
        if word in ("WRITE", "EDIT"):
            change = f"*** Add File: {rest}\n+{OLD}\n+beta\n"
            if word == "EDIT":
                change = f"*** Update File: {rest}\n@@\n-{OLD}\n+{NEW}\n beta\n"
            item = {
                "type": "custom_tool_call",
                "call_id": call,
                "name": "apply_patch",
                "input": f"*** Begin Patch\n{change}*** End Patch",
            }
        elif word == "RUN":
            given = {"cmd": rest}
            if self.escalates:
                given |= {"sandbox_permissions": "require_escalated", "justification": "May I do it?"}
            item = {
                "type": "function_call",
                "call_id": call,
                "name": "exec_command",
                "arguments": json.dumps(given),
            }
        elif word == "CALL":
            name, _, arguments = rest.partition(" ")
            source = f"text(await tools.mcp__axiom__{name}({bytes.fromhex(arguments).decode()}))"
            item = {"type": "custom_tool_call", "call_id": call, "name": "exec", "input": source}
        else:
            item = {
                "type": "message",
                "role": "assistant",
                "id": f"msg_{time.monotonic_ns()}",
                "content": [{"type": "output_text", "text": rest}],
            }
        usage = {
            "input_tokens": 9,
            "input_tokens_details": None,
            "output_tokens": 9,
            "output_tokens_details": None,
            "total_tokens": 18,
        }
        return [
            sse("response.created", {"type": "response.created", "response": {"id": "resp_1"}}),
            sse("response.output_item.done", {"type": "response.output_item.done", "item": item}),
            sse(
                "response.completed",
                {"type": "response.completed", "response": {"id": "resp_1", "usage": usage}},
            ),
        ]


class Gemini(Api):
    def conversation(self) -> list[tuple[str, str]]:
        found = []
        for content in self.body.get("contents", []):
            for part in content.get("parts", []):
                if "functionResponse" in part:
                    found.append(("result", ""))
                elif content.get("role") == "user" and "text" in part:
                    found.append(("said", part["text"]))
        return found if self.body.get("tools") else []

    def events(self, word: str, rest: str) -> list[bytes]:
        tool = {
            "RUN": ("run_shell_command", {"command": rest, "description": "Do as told"}),
            "WRITE": ("write_file", {"file_path": rest, "content": f"{OLD}\nbeta\n"}),
            "EDIT": (
                "replace",
                {"file_path": rest, "instruction": "Change it", "old_string": OLD, "new_string": NEW},
            ),
        }.get(word)
        if word == "CALL":
            declared = [d for tool in self.body["tools"] for d in tool.get("functionDeclarations", [])]
            tool = self.called(rest, (d["name"] for d in declared))
        part: dict[str, Any] = {"text": rest}
        if tool:
            part = {"functionCall": {"name": tool[0], "args": tool[1]}}
        elif not self.body.get("tools"):
            part = {"text": json.dumps({"reasoning": "", "next_speaker": "user", "model_choice": "flash"})}
        return [
            sse(
                None,
                {
                    "candidates": [
                        {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
                    ],
                    "usageMetadata": {
                        "promptTokenCount": 9,
                        "candidatesTokenCount": 9,
                        "totalTokenCount": 18,
                    },
                },
            )
        ]


class Completions(Api):
    """OpenAI's older one, as aider uses it: there are no tools, only text."""

    def conversation(self) -> list[tuple[str, str]]:
        return [("said", flat(m["content"])) for m in self.body.get("messages", []) if m["role"] == "user"]

    def events(self, word: str, rest: str) -> list[bytes]:
        fence = "```"
        text = {
            "RUN": f"Run this:\n\n{fence}bash\n{rest}\n{fence}\n",
            "WRITE": f"{rest}\n{fence}\n<<<<<<< SEARCH\n=======\n{OLD}\nbeta\n>>>>>>> REPLACE\n{fence}\n",
            "EDIT": f"{rest}\n{fence}\n<<<<<<< SEARCH\n{OLD}\n=======\n{NEW}\n>>>>>>> REPLACE\n{fence}\n",
        }.get(word, rest)
        head = {"id": "c1", "created": 1, "model": "fake"}
        usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
        if not self.body.get("stream"):
            message = {"role": "assistant", "content": text}
            choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
            whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
            return [json.dumps(whole).encode()]
        out = []
        for delta, end in (({"role": "assistant", "content": text}, None), ({}, "stop")):
            choice = {"index": 0, "delta": delta, "finish_reason": end}
            out.append(sse(None, {**head, "object": "chat.completion.chunk", "choices": [choice]}))
        return [*out, b"data: [DONE]\n\n"]


class _Handler(BaseHTTPRequestHandler):
    server: FakeApi

    def do_GET(self) -> None:
        self._send(404, b"{}", "application/json")

    do_HEAD = do_GET  # noqa: N815 (http.server has it so)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        path = self.path.partition("?")[0]
        self.server.requests.append((path, body))
        api: Api
        if path.endswith("/messages"):
            api = Anthropic(body)
        elif path.endswith("/responses"):
            api = Responses(body, escalates=self.server.escalates)
        elif path.endswith("/chat/completions"):
            api = Completions(body)
        elif path.endswith(":streamGenerateContent"):
            api = Gemini(body)
        elif path.endswith(":generateContent"):
            [answer] = Gemini(body).answer()
            self._send(200, answer.removeprefix(b"data: ").strip(), "application/json")
            return
        elif path.endswith(("countTokens", "count_tokens")):
            self._send(200, b'{"totalTokens": 9, "input_tokens": 9}', "application/json")
            return
        else:
            self._send(404, b"{}", "application/json")
            return
        stream = path.endswith((":streamGenerateContent", "/responses")) or body.get("stream")
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if stream else "application/json")
        self.end_headers()
        self.wfile.flush()
        for piece in api.answer():
            self.wfile.write(piece)

    def _send(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        self.server.log.append(format % arguments)
        if self.server.verbose:
            print(format % arguments, flush=True)


class FakeApi(ThreadingHTTPServer):
    """One connection is one request (HTTP/1.0), so that nothing is open when the agents have ended."""

    daemon_threads = False
    request_queue_size = 50

    def __init__(self, *, verbose: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.log: list[str] = []
        self.verbose = verbose
        self.escalates = True
        """Whether commands are to leave Codex's sandbox, so that it asks."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """An agent that was stopped hangs up in the middle of an answer."""


@contextmanager
def fake_api() -> Iterator[FakeApi]:
    """Serve until the block ends."""
    with FakeApi() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    with FakeApi(verbose=True) as api:
        print(api.url, flush=True)
        api.serve_forever()
