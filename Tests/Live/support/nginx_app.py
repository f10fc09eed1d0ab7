"""An nginx as the app: quick enough for a million requests, and written by others."""

import os
import shutil
import subprocess

from support.gatehouse import free_ports
from support.waiting import eventually
from support.wire import request

CONFIGURATION = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error;
events {{ worker_connections 2048; }}
http {{
    access_log off; keepalive_requests 100000000;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 100m;
        location / {{ return 200 "an answer"; }}
        location /files/ {{ alias {folder}/files/; }}
        location /cut {{ return 444; }}
        location /missing {{ return 404; }}
    }}
}}
"""


class NginxApp:
    def __init__(self, folder):
        folder.mkdir(parents=True)
        (folder / "files").mkdir()
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.files = folder / "files"
        configuration = folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, port=self.port))
        program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        with open(folder / "nginx.log", "wb") as log:
            self.process = subprocess.Popen(
                [program, "-p", str(folder), "-c", str(configuration)], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        eventually(self._answers, 30, "nginx")

    def _answers(self):
        assert self.process.poll() is None, "nginx ended"
        try:
            return request(self.port, "/").status == 200
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
