"""One contestant of render.py: Pillow, one thread.

    python pillow.py copy|draft ROUNDS OUT FILE...

A line a file: name, milliseconds of processor time, bytes at 600, bytes at 150; then the peak.
"""

import io
import statistics
import sys
import time
from pathlib import Path

from PIL import Image

LANCZOS = Image.Resampling.LANCZOS


def saved(picture):
    target = io.BytesIO()
    picture.save(target, "WEBP", quality=85)
    return target.getvalue()


def copy(original):
    """As its documentation shows it: load, a copy a size, thumbnail, save."""
    source = Image.open(io.BytesIO(original))
    source.load()
    made = []
    for side in (600, 150):
        picture = source.copy()
        picture.thumbnail((side, side), LANCZOS)
        made.append(saved(picture))
    return made


def draft(original):
    """The fast way: thumbnail() lets the JPEG decoder scale, and the small one is from the large."""
    picture = Image.open(io.BytesIO(original))
    picture.thumbnail((600, 600), LANCZOS)
    large = saved(picture)
    picture.thumbnail((150, 150), LANCZOS)
    return [large, saved(picture)]


def main():
    way, rounds, out, *files = sys.argv[1:]
    make = {"copy": copy, "draft": draft}[way]
    for file in map(Path, files):
        original = file.read_bytes()
        times = []
        for _ in range(int(rounds)):
            started = time.process_time()
            made = make(original)
            times.append((time.process_time() - started) * 1000)
        for side, webp in zip((600, 150), made):
            (Path(out) / f"{file.stem}.{side}.webp").write_bytes(webp)
        print(f"{file.stem} {statistics.median(times):.3f} {len(made[0])} {len(made[1])}")
    status = Path("/proc/self/status").read_text()
    print("peak", next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


main()
