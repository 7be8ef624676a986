"""A chat server on a free port of this machine, for tests of what asks one."""

import contextlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """An OpenAI-compatible server on a free port; `answer` maps a prompt to (status, body)."""

    def __init__(self) -> None:
        self.answer: Callable[[str], tuple[int, object]] = lambda prompt: said("Rating: 3")
        self.prompts: list[str] = []
        self.keys: list[str | None] = []
        self.headers: dict[str, str] = {}
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                prompt = body["messages"][0]["content"]
                owner.prompts.append(prompt)
                owner.keys.append(self.headers.get("Authorization"))
                status, reply = owner.answer(prompt)
                data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(status)
                for name, value in owner.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                with contextlib.suppress(ConnectionError):  # a client that gave up waiting
                    self.end_headers()
                    self.wfile.write(data)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/v1"


def said(text: str) -> tuple[int, object]:
    return 200, {"choices": [{"message": {"role": "assistant", "content": text}}]}
