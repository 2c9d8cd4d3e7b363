"""What the network of EC2 did not let through: the allowances of the Elastic Network Adapter.

Source: Amazon EC2 User Guide, "Monitor network performance for ENA settings"; Linux, include/uapi/linux/ethtool.h.
"""

import array
import fcntl
import os
import socket
import struct

from samples import sample

SIOCETHTOOL, GSTRINGS, GSTATS, GSSET_INFO, STATISTICS, NAME_BYTES = 0x8946, 0x1B, 0x1D, 0x37, 1, 32
EXCEEDED = "_allowance_exceeded"


def collect(_):
    for interface in sorted(os.listdir("/sys/class/net")):
        driver = os.path.basename(os.path.realpath(f"/sys/class/net/{interface}/device/driver"))
        if driver != "ena":
            continue
        for name, value in statistics(interface).items():
            if name.endswith(EXCEEDED):
                yield sample("calldata_ena_allowance_exceeded_total", value, interface=interface, allowance=name.removesuffix(EXCEEDED))
            elif name == "conntrack_allowance_available":
                yield sample("calldata_ena_connections_left", value, interface=interface)


def statistics(interface):
    """The driver's own counters, by name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:

        def ask(request):
            buffer = array.array("B", request)
            fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sP", interface.encode(), buffer.buffer_info()[0]))
            return buffer.tobytes()

        count = struct.unpack_from("=I", ask(struct.pack("=IIQI", GSSET_INFO, 0, 1 << STATISTICS, 0)), 16)[0]
        names = ask(struct.pack("=III", GSTRINGS, STATISTICS, count) + bytes(count * NAME_BYTES))[12:]
        values = struct.unpack_from(f"={count}Q", ask(struct.pack("=II", GSTATS, count) + bytes(count * 8)), 8)
    labels = [names[i * NAME_BYTES : (i + 1) * NAME_BYTES].split(b"\0")[0].decode("ascii", "replace") for i in range(count)]
    return dict(zip(labels, values))
