"""A slow link between two network namespaces: 10.9.0.1 in SERVER, 10.9.0.2 in CLIENT, packets by two TUN devices.

Usage: slow_link.py SERVER CLIENT UP DOWN [DELAY [LOSS [QUEUE]]]

UP (from the client) and DOWN are in kbit/s, DELAY is one way in milliseconds, LOSS in percent of the packets of each
direction. QUEUE is what a router in between holds before it drops packets, in KiB; 0, the default: the sender's own
device is the slow one, no packet is dropped, and up to 2 MiB that are not sent yet wait in the sender's kernel. Prints
"ready" when packets pass, and runs until it is killed. Not `tc`: many kernels come without netem, which delays and loses packets there.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001


def device(name, namespace, address, deep):
    """A TUN device in this namespace, which stays open when it is moved. `deep`: the kernel queues much at once."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
    ip = lambda *arguments: subprocess.run(["ip", *arguments], check=True)
    ip("link", "set", name, "netns", namespace)
    inside = ["netns", "exec", namespace, "ip"]
    ip(*inside, "link", "set", "lo", "up")
    ip(*inside, "address", "add", f"{address}/24", "dev", name)
    ip(*inside, "link", "set", name, "up")
    if deep:
        # Sets the size to which the buffer of a socket would grow, from the beginning.
        buffer = "echo 4096 2097152 4194304 >/proc/sys/net/ipv4/tcp_wmem"
        ip("netns", "exec", namespace, "sh", "-c", buffer)
    return fd


class Direction:
    def __init__(self, kbits, delay, loss, queue, seed):
        self.rate = kbits * 1000 / 8
        self.delay = delay
        self.loss = loss
        self.queue = queue
        self.chance = random.Random(seed)
        # When the last accepted packet will have been sent.
        self.busy = 0.0

    def takes_at(self, now):
        """Returns the time from which a packet is read from the device."""
        return now if self.queue else self.busy

    def arrival(self, size, now):
        """Returns when a packet arrives; None if it is lost."""
        begin = max(now, self.busy)
        if self.queue and (begin - now) * self.rate + size > self.queue or self.chance.random() < self.loss:
            return None
        self.busy = begin + size / self.rate
        return self.busy + self.delay


def main():
    server, client, up, down, *rest = sys.argv[1:]
    delay, loss, queue = (float(x) for x in (rest + ["0", "0", "0"][len(rest):]))
    # The device at the server provides the packets of the downlink.
    unique = os.getpid()
    ends = [device(f"s{unique}", server, "10.9.0.1", not queue), device(f"c{unique}", client, "10.9.0.2", not queue)]
    directions = [Direction(float(kbits), delay / 1000, loss / 100, queue * 1024, seed)
                  for seed, kbits in enumerate([down, up])]
    print("ready", flush=True)
    waiting, number = [], 0
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, to, packet = heapq.heappop(waiting)
            try:
                os.write(ends[to], packet)
            except OSError:
                pass  # Lost, as on any link.
        free = [end for end, direction in zip(ends, directions) if direction.takes_at(now) <= now]
        wakes = [waiting[0][0]] if waiting else []
        wakes += [direction.busy for direction in directions if direction.takes_at(now) > now]
        timeout = max(min(wakes) - now, 0) if wakes else None
        for fd in select.select(free, [], [], timeout)[0]:
            at = ends.index(fd)
            packet = os.read(fd, 65536)
            arrives = directions[at].arrival(len(packet), time.monotonic())
            if arrives is not None:
                number += 1
                heapq.heappush(waiting, (arrives, number, 1 - at, packet))


main()
