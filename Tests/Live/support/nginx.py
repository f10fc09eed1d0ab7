"""A real nginx as an app's server."""

import os
import shutil
import signal
import subprocess

from support.gatehouse import free_ports
from support.waiting import eventually
from support.wire import request

CONFIGURATION = """
worker_processes 2;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 200;
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 200 "{text}"; }}
    }}
}}
"""


def binary():
    return shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")


class Nginx:
    def __init__(self, folder, text="nginx"):
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.write(text)

    def write(self, text):
        """`text` is what it answers."""
        (self.folder / "nginx.conf").write_text(
            CONFIGURATION.format(folder=self.folder, port=self.port, text=text))

    def start(self):
        self.process = subprocess.Popen(
            [binary(), "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        eventually(lambda: request(self.port).status == 200, 20, "nginx")
        return self

    def reload(self, text):
        """Returns when the new workers answer."""
        self.write(text)
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: request(self.port).body.decode() == text, 20, "nginx's new workers")

    def kill(self):
        """The master with its workers, at once: they would go on without it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        self.process = None

    def stop(self, how=signal.SIGQUIT):
        if self.process:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None
