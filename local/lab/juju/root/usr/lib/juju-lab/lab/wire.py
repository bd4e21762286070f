"""How the stand-ins talk over TCP: one BSON document as the request, one as the answer."""

import socket
import socketserver
import struct
import threading

import bson

from . import node


class Refused(Exception):
    """The other side answered with an error."""


def receive(stream):
    head = stream.read(4)
    if len(head) < 4:
        raise ConnectionError('socket was unexpectedly closed: EOF')
    rest = stream.read(struct.unpack('<i', head)[0] - 4)
    try:
        return bson.decode(head + rest)
    except bson.errors.InvalidBSON as error:
        raise ConnectionError('socket was unexpectedly closed: EOF') from error


def call(host, port, request, timeout=10):
    """Asks and returns the answer; OSError when nobody answers, Refused when the answer is an error."""
    with socket.create_connection((host, port), timeout) as connection:
        connection.sendall(bson.encode(request))
        answer = receive(connection.makefile('rb'))
    if 'error' in answer:
        raise Refused(answer['error'])
    return answer


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


def serve(port, answer):
    """Answers requests at the node's own address, for ever; an answer of bytes is sent as it is."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            try:
                request = receive(self.rfile)
            except OSError:
                return
            try:
                reply = answer(request)
            except (Refused, node.Failure) as error:
                reply = {'error': str(error)}
            except OSError:
                # What is behind this server is gone: so is the connection.
                return
            try:
                self.wfile.write(reply if isinstance(reply, bytes) else bson.encode(reply))
            except OSError:
                pass

    server = Server((node.address(), port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
