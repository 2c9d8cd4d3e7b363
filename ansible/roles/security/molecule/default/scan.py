#!/usr/bin/python3
"""scan.py SOURCE TARGET: which ports of TARGET answer SOURCE, an address of this machine. One line, in order."""
import concurrent.futures
import os
import socket
import sys
import time

TCP = (22, 25, 80, 443, 2224, 5038, 5060, 5061, 5432, 5672, 6379, 8668, 9600, 9601)
UDP = (69, 4569, 5060, 5062, 5070, 9999, 10000, 15000, 20000, 22222, 23000, 30000, 32768)
source, target = sys.argv[1:]


def tcp(port):
    try:
        socket.create_connection((target, port), timeout=2, source_address=(source, 0)).close()
    except OSError:
        return None
    return f"tcp/{port}"


def udp(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((source, 0))
        s.connect((target, port))
        s.settimeout(0.7)
        for _ in range(3):
            try:
                s.send(b"anybody there?")
                if s.recv(100):
                    return f"udp/{port}"
            except OSError:
                continue
    return None


def ping(_):
    """An echo request (RFC 792); needs root."""
    body = b"\x08\x00\x00\x00" + os.urandom(8)
    total = sum(body[i] << 8 | body[i + 1] for i in range(0, len(body), 2))
    total = (total & 0xFFFF) + (total >> 16)
    total = ~(total + (total >> 16)) & 0xFFFF
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        s.bind((source, 0))
        s.sendto(body[:2] + total.to_bytes(2, "big") + body[4:], (target, 0))
        deadline = time.monotonic() + 2
        while (left := deadline - time.monotonic()) > 0:
            s.settimeout(left)
            try:
                packet, (address, _) = s.recvfrom(2048)
            except OSError:
                return None
            if address == target and packet[20] == 0 and packet.endswith(body[4:]):
                return "icmp/8"
    return None


with concurrent.futures.ThreadPoolExecutor(max_workers=64) as pool:
    found = [pool.submit(ping, 0)] + [pool.submit(tcp, p) for p in TCP] + [pool.submit(udp, p) for p in UDP]
    print(" ".join(f.result() for f in found if f.result()))
