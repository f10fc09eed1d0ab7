#!/usr/bin/env python3
"""A WSGI app that knows nothing about Gatehouse: it answers with what it was told. Usage: app.py PORT

WSGI writes every header as HTTP_NAME with `_` for `-`, so a forged `remote_user` would look like `Remote-User` here.
"""

import json
import socketserver
import sys
import wsgiref.simple_server


def app(environ, start_response):
    headers = {name[5:]: value for name, value in sorted(environ.items()) if name.startswith("HTTP_")}
    length = int(environ.get("CONTENT_LENGTH") or 0)
    told = {
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "query": environ["QUERY_STRING"],
        "length": len(environ["wsgi.input"].read(length)),
        "user": headers.get("REMOTE_USER", ""),
        "headers": headers,
    }
    body = (json.dumps(told, indent=2) + "\n").encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True

    def server_bind(self):
        # The stock one looks up the host's name, which can take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address
        self.setup_environ()


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    def address_string(self):
        return self.client_address[0]

    def log_message(self, *arguments):
        pass


if __name__ == "__main__":
    wsgiref.simple_server.make_server("127.0.0.1", int(sys.argv[1]), app, Server, Handler).serve_forever()
