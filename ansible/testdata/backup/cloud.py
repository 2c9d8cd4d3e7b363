"""AWS for tests of calldata-backup: moto, behind a line that can fail on request."""

import http.client
import http.server
import logging
import threading
import urllib.parse

import boto3
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.CRITICAL)  # moto's web server tells of each request

FORBIDDEN = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
UNAVAILABLE = b"<Error><Code>ServiceUnavailable</Code><Message>later</Message></Error>"


class Cloud:
    """trouble(request) is asked before each request, a dict with method, path, query and headers. It answers None, or

    ("answer", CODE, BODY)  what is answered instead
    ("hang up",)            nothing is answered
    ("cut", N)              only so many bytes of what moto answers
    """

    def __init__(self):
        self.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.moto.start()
        # All of moto's servers in a process have the same content.
        line = http.client.HTTPConnection(*self.moto.get_host_and_port())
        line.request("POST", "/moto-api/reset")
        assert line.getresponse().status == 200
        line.close()
        self.requests, self.trouble = [], lambda request: None
        cloud = self

        class Line(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = urllib.parse.urlsplit(self.path)
                request = {"method": self.command, "path": url.path, "query": dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True)),
                           "headers": {k.lower(): v for k, v in self.headers.items()}, "bytes": len(body)}
                cloud.requests.append(request)
                what, *more = cloud.trouble(request) or ("pass",)
                if what == "hang up":
                    self.close_connection = True
                elif what == "answer":
                    self.reply(more[0], {"Content-Type": "application/xml"}, more[1])
                else:
                    line = http.client.HTTPConnection(*cloud.moto.get_host_and_port())
                    line.request(self.command, self.path, body, dict(self.headers.items()))
                    answer = line.getresponse()
                    self.reply(answer.status, dict(answer.getheaders()), answer.read(), more[0] if what == "cut" else None)
                    line.close()

            do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = pass_on

            def reply(self, status, headers, body, only=None):
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body)))
                self.end_headers()
                self.wfile.write(body[:only])
                self.close_connection = self.close_connection or only is not None

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                """A client that is killed in the middle is what is tested."""

        self.server = Server(("127.0.0.1", 0), Line)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        # What programs need to find it.
        self.variables = {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                          "AWS_EC2_METADATA_DISABLED": "true", "no_proxy": "127.0.0.1"}

    def client(self, service):
        """A client past the line, for looking at what is there."""
        host, port = self.moto.get_host_and_port()
        return boto3.client(service, endpoint_url=f"http://{host}:{port}", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.moto.stop()
