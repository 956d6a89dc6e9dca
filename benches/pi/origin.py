"""An origin on loopback for the measurements of this folder, with pictures made here: JPEGs whose
coefficients are drawn by lot and never were a picture (a decoder and an encoder work on them as on
a photograph), and PNGs of 16 bits. Standard library only.

The seed is fixed: each run measures the same bytes.
"""

import random
import struct
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# ITU T.81 Annex K: the example tables that nearly every camera uses.
DC = ((0, 1, 5, 1, 1, 1, 1, 1, 1), bytes(range(12)))
DC_COUNTS = bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
AC_COUNTS = bytes([0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D])
AC_SYMBOLS = bytes.fromhex(
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728"
    "292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a83848586878889"
    "8a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2"
    "e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
)
QUANT = bytes(min(255, 3 + zigzag // 4) for zigzag in range(64))
POOL = 256


def codes(counts, symbols):
    """Symbol to its code as a text of 0 and 1."""
    table, code, at = {}, 0, 0
    for length, count in enumerate(counts, 1):
        for _ in range(count):
            table[symbols[at]] = format(code, f"0{length}b")
            code, at = code + 1, at + 1
        code <<= 1
    return table


DC_CODE = codes(DC_COUNTS, DC[1])
AC_CODE = codes(AC_COUNTS, AC_SYMBOLS)


def amplitude(value):
    size = abs(value).bit_length()
    if size == 0:
        return 0, ""
    return size, format(value if value > 0 else value + (1 << size) - 1, f"0{size}b")


def dc_bits(difference):
    size, bits = amplitude(difference)
    return DC_CODE[size] + bits


def ac_bits(lots, strength):
    """The 63 others of one block, fewer and smaller towards the fine detail."""
    bits, run = [], 0
    for zigzag in range(1, 64):
        spread = strength / (zigzag * QUANT[zigzag])
        value = max(-1000, min(1000, round(lots.gauss(0, spread)))) if spread > 0.2 else 0
        if value == 0:
            run += 1
            continue
        while run > 15:
            bits.append(AC_CODE[0xF0])
            run -= 16
        size, tail = amplitude(value)
        bits.append(AC_CODE[run << 4 | size] + tail)
        run = 0
    return "".join(bits) + (AC_CODE[0x00] if run else "")


def packed(bits):
    """Padded with ones, with a zero byte after each 255."""
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")


def segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def scan_header(components, first, last):
    body = bytes([len(components)]) + b"".join(bytes([c, 0]) for c in components)
    return segment(0xDA, body + bytes([first, last, 0]))


def dc_walk(lots, blocks):
    """Differences that wander about the middle grey."""
    at = 0
    for _ in range(blocks):
        step = lots.randint(-12, 12) - at // 12
        at += step
        yield DC_STEPS[step]


DC_STEPS = {step: dc_bits(step) for step in range(-40, 41)}


def jpeg(width, height, seed, strength=60, progressive=False, subsampled=True, note=b""):
    """A baseline JPEG (4:2:0) or a progressive one (4:4:4) of spectral selection in four scans."""
    lots = random.Random(seed)
    luma = [ac_bits(lots, strength) for _ in range(POOL)]
    chroma = [ac_bits(lots, strength / 3) for _ in range(POOL)]
    factor = 2 if subsampled else 1
    columns, rows = -(-width // (8 * factor)), -(-height // (8 * factor))
    frame = struct.pack(">BHHB", 8, height, width, 3)
    frame += bytes([1, factor << 4 | factor, 0, 2, 0x11, 0, 3, 0x11, 0])
    head = b"\xff\xd8" + segment(0xFE, note) + segment(0xDB, b"\0" + QUANT)
    head += segment(0xC2 if progressive else 0xC0, frame)
    head += segment(0xC4, b"\x00" + DC_COUNTS + DC[1]) + segment(0xC4, b"\x10" + AC_COUNTS + AC_SYMBOLS)
    units = columns * rows
    walks = [dc_walk(lots, units * factor * factor), dc_walk(lots, units), dc_walk(lots, units)]
    pools = [luma, chroma, chroma]
    if progressive:
        assert not subsampled
        scans = scan_header([1, 2, 3], 0, 0)
        scans += packed("".join(next(walk) for _ in range(units) for walk in walks))
        for component, pool in enumerate(pools, 1):
            scans += scan_header([component], 1, 63) + packed("".join(lots.choices(pool, k=units)))
        return head + scans + b"\xff\xd9"
    parts = []
    for _ in range(units):
        for walk, pool, blocks in zip(walks, pools, (factor * factor, 1, 1)):
            for _ in range(blocks):
                parts.append(next(walk))
                parts.append(pool[int(lots.random() * POOL)])
    return head + scan_header([1, 2, 3], 0, 63) + packed("".join(parts)) + b"\xff\xd9"


def png16(width, height, seed):
    """RGB of 16 bits a sample; a pattern that zlib finds again within its 32 kB."""
    pattern = random.Random(seed).randbytes(6 * 701)
    row = (pattern * (width // 701 + 1))[: width * 6]
    squeeze = zlib.compressobj(6)
    data = [squeeze.compress(b"\0" + row) for _ in range(height)]
    data.append(squeeze.flush())

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"".join(data)) + chunk(b"IEND", b"")


class Origin:
    """Serves `/covers/N.jpg` for every N (the pictures repeat, their bytes do not) and what `add` put there."""

    def __init__(self, pictures=24, side=600):
        self.covers = [jpeg(side, side, seed) for seed in range(pictures)]
        self.others = {}
        self.delay = 0  # seconds before each answer
        origin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = origin.body(self.path)
                time.sleep(origin.delay)
                self.send_response(200 if body else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = "127.0.0.1:%d" % self.server.server_port

    def add(self, path, body):
        self.others[path] = body
        return self.url(path)

    def url(self, path):
        return f"http://{self.address}{path}"

    def cover(self, number):
        return self.url(f"/covers/{number}.jpg")

    def body(self, path):
        if path in self.others:
            return self.others[path]
        if not path.startswith("/covers/"):
            return None
        number = int(path.removeprefix("/covers/").removesuffix(".jpg"))
        cover = self.covers[number % len(self.covers)]
        return cover[:2] + segment(0xFE, b"%d" % number) + cover[2:]
