"""Runs the contestants in turn over photographs that it prepares, and prints a table in Markdown.

    python render.py FOLDER RENDER ROUNDS

FOLDER/photos is made from Debian's wallpaper packages when it is not there: squares of 600, 1500
and 3000 pixels, half of them progressive, with the samplings that covers have. Times are the
processor's, per cover with both renditions; peaks are of a process that makes one cover; SSIM is
on luma against the original resized by a floating-point Lanczos, 11 x 11 Gaussian window.
"""

import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
# Of fewer one decides: at method 4 a level here and there can cost libwebp 0.004 of SSIM in noise.
COUNTS = {600: 24, 1500: 24, 3000: 24}
SIDES = (600, 150)
# Subsampling as Pillow numbers it: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0.
SAMPLINGS = (2, 2, 0, 2, 1, 2)
LANCZOS = Image.Resampling.LANCZOS


def photographs(folder):
    if not folder.is_dir():
        folder.mkdir(parents=True)
        sources = sorted(
            path
            for path in Path("/usr/share/backgrounds").rglob("*.jpg")
            if path.stat().st_size > 300_000 and min(Image.open(path).size) >= 1000
        )
        chance = random.Random(1)
        for side, count in COUNTS.items():
            # The largest photographs for the largest covers: nothing is enlarged more than it must.
            fit = sorted(sources, key=lambda path: -min(Image.open(path).size))
            chosen = fit[:count] if side > 1500 else chance.sample(fit, count)
            for number, path in enumerate(chosen):
                photograph(path, side, number, folder / f"{side}_{number:02}.jpg")
    return {side: sorted(folder.glob(f"{side}_*.jpg")) for side in COUNTS}


def photograph(path, side, number, target):
    with Image.open(path) as picture:
        picture = picture.convert("RGB")
        edge = min(picture.size)
        left, top = (picture.width - edge) // 2, (picture.height - edge) // 2
        square = picture.crop((left, top, left + edge, top + edge)).resize((side, side), LANCZOS)
    sampling = SAMPLINGS[number % len(SAMPLINGS)]
    square.save(target, "JPEG", quality=90, progressive=number % 2 == 1, subsampling=sampling)


class Contestant:
    def __init__(self, name, command):
        self.name, self.command = name, command
        self.times, self.sizes, self.similar, self.peaks = {}, {}, {}, {}

    def run(self, rounds, out, files):
        command = [str(rounds) if part == "ROUNDS" else part for part in self.command]
        answer = subprocess.run(
            [*command, str(out), *map(str, files)], check=True, capture_output=True, text=True
        ).stdout
        lines = [line.split() for line in answer.splitlines()]
        made = {name: (float(ms), int(large), int(small)) for name, ms, large, small in
                (line for line in lines if line[0] != "peak")}
        return made, int(next(line[1] for line in lines if line[0] == "peak"))


class Vips(Contestant):
    """Two commands a cover, their start included: it has no other way from a script."""

    def run(self, _rounds, out, files):
        made, peak = {}, 0
        for file in files:
            sizes, spent = [], 0.0
            for side in SIDES:
                target = Path(out) / f"{file.stem}.{side}.webp"
                command = ["vipsthumbnail", str(file), "--size", f"{side}x{side}>", "-o", f"{target}[Q=85]"]
                child = subprocess.Popen(command, env={**os.environ, "VIPS_CONCURRENCY": "1"})
                _, status, usage = os.wait4(child.pid, 0)
                child.returncode = os.waitstatus_to_exitcode(status)
                assert child.returncode == 0, command
                spent += (usage.ru_utime + usage.ru_stime) * 1000
                peak = max(peak, usage.ru_maxrss)
                sizes.append(target.stat().st_size)
            made[file.stem] = (spent, *sizes)
        return made, peak


def luma(picture):
    red, green, blue = (np.asarray(picture.convert("RGB"), np.float64)[..., channel] for channel in range(3))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def reference(file, side):
    """Luma of the original, resized in floating point."""
    with Image.open(file) as picture:
        plane = Image.fromarray(luma(picture).astype(np.float32))
    scale = min(1, side / max(plane.size))
    size = tuple(max(1, round(edge * scale)) for edge in plane.size)
    return np.asarray(plane.resize(size, LANCZOS), np.float64)


def ssim(first, second):
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    window /= window.sum()

    def blurred(plane):
        rows = sum(w * plane[i : plane.shape[0] - 10 + i] for i, w in enumerate(window))
        return sum(w * rows[:, i : plane.shape[1] - 10 + i] for i, w in enumerate(window))

    a, b = blurred(first), blurred(second)
    aa, bb, ab = blurred(first**2) - a * a, blurred(second**2) - b * b, blurred(first * second) - a * b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(np.mean((2 * a * b + c1) * (2 * ab + c2) / ((a * a + b * b + c1) * (aa + bb + c2))))


def main():
    folder, render, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    photos = photographs(folder / "photos")
    python, sharp = sys.executable, str(folder / "sharp.mjs")
    contestants = [
        Contestant("**VinylVault**, effort 2 (default)", [render, "--covers", "2", "ROUNDS"]),
        Contestant("VinylVault, effort 4", [render, "--covers", "4", "ROUNDS"]),
        Contestant("Pillow, load, copy, thumbnail", [python, str(HERE / "pillow.py"), "copy", "ROUNDS"]),
        Contestant("Pillow, draft, 150 from 600", [python, str(HERE / "pillow.py"), "draft", "ROUNDS"]),
        Contestant("sharp, two pipelines", ["node", sharp, "two", "ROUNDS"]),
        Contestant("sharp, 150 from 600", ["node", sharp, "chain", "ROUNDS"]),
        Vips("vipsthumbnail twice, with its start", []),
    ]
    for side, files in photos.items():
        measure(contestants, folder, side, files, rounds)
    # Last, for a child's peak as the system counts it begins with the memory of its parent.
    for side, files in photos.items():
        compare(contestants, folder, side, files)
    table(contestants, photos)


def measure(contestants, folder, side, files, rounds):
    times = {contestant: [] for contestant in contestants}
    for turn in range(rounds):
        for contestant in contestants:
            out = folder / "out" / str(contestants.index(contestant))
            out.mkdir(parents=True, exist_ok=True)
            # Three a turn, of which a warmed-up one is the median.
            made, _ = contestant.run(3, out, files)
            times[contestant].append(statistics.mean(ms for ms, _, _ in made.values()))
            contestant.sizes[side] = [statistics.mean(sizes) for sizes in list(zip(*made.values()))[1:]]
        print(f"{side} px, turn {turn + 1} of {rounds}", file=sys.stderr)
    for contestant in contestants:
        out = folder / "out" / str(contestants.index(contestant))
        contestant.times[side] = times[contestant]
        contestant.peaks[side] = max(contestant.run(1, out, [file])[1] for file in files) / 1024


def compare(contestants, folder, side, files):
    for edge in SIDES:
        references = {file: reference(file, edge) for file in files}
        for number, contestant in enumerate(contestants):
            alike = [
                ssim(meant, luma(Image.open(folder / "out" / str(number) / f"{file.stem}.{edge}.webp")))
                for file, meant in references.items()
            ]
            contestant.similar.setdefault(side, []).append(statistics.mean(alike))


def table(contestants, photos):
    covers = ", ".join(f"{len(files)} of {side} px" for side, files in photos.items())
    print(f"Photographs: {covers}. Measured {time.strftime('%Y-%m-%d')}.\n")
    print("| from | contestant | ms a cover | to ours | peak, MB | bytes at 600 | SSIM | bytes at 150 | SSIM |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for side in photos:
        ours = contestants[0].times[side]
        for contestant in contestants:
            theirs = contestant.times[side]
            # Of each turn by itself: what slowed the machine then slowed both.
            ratio = statistics.median(their / our for their, our in zip(theirs, ours))
            (large, small), (like_large, like_small) = contestant.sizes[side], contestant.similar[side]
            print(
                f"| {side} px | {contestant.name} | {statistics.median(theirs):.1f} | {ratio:.2f} "
                f"| {contestant.peaks[side]:.0f} | {large:,.0f} | {like_large:.4f} "
                f"| {small:,.0f} | {like_small:.4f} |"
            )


main()
