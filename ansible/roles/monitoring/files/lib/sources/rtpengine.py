"""rtpengine: sessions, ports, quality, errors, under the names that it gives them itself."""

import re
import urllib.request

from samples import parse

# Loss and jitter are there in newer versions than Debian 12's.
WANTED = re.compile(
    "rtpengine_(sessions|sessions_total|closed_sessions_total|mediastreams|transcoded_media|uptime_seconds|packets_total|bytes_total|packet_errors_total"
    "|zero_packet_streams_total|one_way_sessions_total|mos_total|mos_samples_total|packetloss_total|packetloss_samples_total|packets_lost"
    "|jitter_total|jitter_samples_total|ports_used|ports_free)"
)


def collect(settings):
    # The address is this machine's own: no proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(settings["url"], timeout=settings["seconds"]) as answer:
        found = parse(answer.read().decode("utf-8", "replace").splitlines(), WANTED)
    if not found:
        raise RuntimeError(f"{settings['url']} has no metrics of rtpengine")
    return found
