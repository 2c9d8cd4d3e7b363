#!/usr/bin/python3
"""Listen on every port of the scan, on all addresses: what a scan does not find, the firewall keeps from it."""
import selectors
import socket

TCP = (25, 80, 443, 2224, 5038, 5060, 5061, 5432, 5672, 6379, 8668, 9600, 9601)
UDP = (69, 4569, 5060, 5062, 5070, 9999, 10000, 15000, 20000, 22222, 23000, 30000, 32768)

ready = selectors.DefaultSelector()
for port in TCP:
    listener = socket.create_server(("0.0.0.0", port), reuse_port=True)
    ready.register(listener, selectors.EVENT_READ, lambda s: s.accept()[0].close())
for port in UDP:
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("0.0.0.0", port))
    ready.register(listener, selectors.EVENT_READ, lambda s: s.sendto(*s.recvfrom(2048)))
while True:
    for key, _ in ready.select():
        try:
            key.data(key.fileobj)
        except OSError as error:
            print(error, flush=True)
