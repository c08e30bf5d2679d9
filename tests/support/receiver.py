"""A real HTTP receiver of webhooks that answers as it is told: well, badly, slowly or not at all."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Answer:
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    wait: float = 0.0
    """Seconds before the status line."""
    drip: float = 0.0
    """Seconds between the bytes of the head, which then never ends."""


OK = Answer()


class Receiver:
    def __init__(self, answer: Callable[[Received], Answer]) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self.ended = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                body = self.rfile.read(length)
                if len(body) < length:
                    # The sender went away, killed perhaps, in the middle: this was no request.
                    self.close_connection = True
                    return
                request = Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                receiver.received.append(request)
                answer = receiver.answer(request)
                receiver.ended.wait(answer.wait)
                try:
                    self.reply(answer)
                except OSError:
                    self.close_connection = True

            do_GET = do_POST  # noqa: N815 - the server's own naming

            def reply(self, answer: Answer) -> None:
                if answer.drip:
                    self.close_connection = True
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
                    while not receiver.ended.is_set():
                        self.wfile.write(b".")
                        time.sleep(answer.drip)
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def ids(self) -> list[str]:
        return [one.id for one in self.received]


@contextmanager
def receiver(answer: Callable[[Received], Answer] | Answer = OK) -> Iterator[Receiver]:
    given = answer if callable(answer) else lambda _: answer
    one = Receiver(given)
    one.thread.start()
    try:
        yield one
    finally:
        one.ended.set()
        one.server.shutdown()
        one.server.server_close()
        one.thread.join()
