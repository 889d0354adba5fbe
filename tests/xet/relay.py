"""A server's port that can vanish: connections are passed on at a limited rate, until down() cuts them all and refuses further ones.

up() lets it be reached again, on the same port. Standard library only.
"""
import socket
import threading
import time
import urllib.parse

PIECE = 65536


class Relay:
    def __init__(self, target, seconds):
        """seconds: between two pieces of 64 KiB."""
        parts = urllib.parse.urlsplit(target)
        self.target, self.seconds = (parts.hostname, parts.port), seconds
        self.open, self.lock, self.listener, self.port = set(), threading.Lock(), None, 0
        self.up()
        self.url = f"http://127.0.0.1:{self.port}"

    def up(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def down(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for s in self.open:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self, listener):
        while True:
            try:
                near = listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(self.target)
            except OSError:
                near.close()
                continue
            with self.lock:
                self.open |= {near, far}
            threading.Thread(target=self._copy, args=(near, far, 0), daemon=True).start()
            threading.Thread(target=self._copy, args=(far, near, self.seconds), daemon=True).start()

    def _copy(self, source, target, seconds):
        try:
            while data := source.recv(PIECE):
                target.sendall(data)
                time.sleep(seconds)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        with self.lock:
            self.open.discard(source)
        source.close()
