"""A server between a client and the content-addressed storage of hf-devhub that passes requests on and changes the answers.

change(path, status, headers, body) answers (status, headers, body); pace: seconds between pieces of 256 KiB. Standard library only.
"""
import http.client
import http.server
import threading
import time
import urllib.parse


class Front:
    def __init__(self, target, change):
        parts = urllib.parse.urlsplit(target)
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
                headers["Host"] = parts.netloc
                connection.request(self.command, self.path, headers=headers)
                answer = connection.getresponse()
                body = answer.read()
                connection.close()
                kept = {k: v for k, v in answer.getheaders() if k.lower() not in ("content-length", "connection", "transfer-encoding")}
                front.asked.append(self.path)
                status, kept, body = front.change(self.path, answer.status, kept, body)
                try:
                    self.send_response(status)
                    for name, value in kept.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)) if self.command == "GET" else answer.getheader("Content-Length", "0"))
                    self.end_headers()
                    for at in range(0, len(body), 1 << 18):
                        self.wfile.write(body[at : at + (1 << 18)])
                        time.sleep(front.pace)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.change, self.asked, self.pace = change, [], 0
        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
