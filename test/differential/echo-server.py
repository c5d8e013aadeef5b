"""Says what Python's http.server understood of a request: one JSON line an answer."""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one write: two small ones would wait for each other's acknowledgement.
    wbufsize = -1

    def answer(self):
        chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        body = self.read_chunks() if chunked else self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = {
            "method": self.command,
            "target": self.path,
            "host": ",".join(self.headers.get_all("Host", [])),
            "organization": ",".join(self.headers.get_all("X-Org-Id", [])),
            "project": ",".join(self.headers.get_all("X-Project-Id", [])) or None,
            "credential": self.headers.get("Authorization") or self.headers.get("X-API-Key"),
            "body": len(body),
        }
        data = (json.dumps(seen) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def read_chunks(self):
        body = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            if size == 0:
                while self.rfile.readline() not in (b"\r\n", b""):
                    pass
                return body
            body += self.rfile.read(size)
            self.rfile.readline()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_QUERY = answer

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
