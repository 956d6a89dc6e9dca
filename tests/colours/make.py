"""Makes the files beside it: small pictures of the kinds that are easily shown in wrong colours, and
NAME.expected.png, what Pillow (libjpeg-turbo, libpng, Little CMS) makes of each in sRGB.

    pip install pillow && apt-get install libvips-tools && python make.py

The program itself reads none of this; tests/colours.rs does.
"""

import io
import math
import struct
import subprocess
from pathlib import Path

from PIL import Image, ImageCms

HERE = Path(__file__).parent
SIDE = 64
# Colorants as they stand in such profiles: adapted to D50.
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))


def picture():
    """Soft waves of all three colours: no edges, which subsampling would blur in any program."""

    def wave(x, y, a, b, c):
        return round(128 + 90 * math.sin(x / a + c) * math.cos(y / b - c))

    made = Image.new("RGB", (SIDE, SIDE))
    made.putdata(
        [(wave(x, y, 13, 17, 0), wave(x, y, 19, 11, 1), wave(x, y, 16, 23, 2)) for y in range(SIDE) for x in range(SIDE)]
    )
    return made


def ramp(colours):
    """The same brightness through a palette whose neighbours are alike, so that no edges come in."""
    made = Image.frombytes("P", colours.size, colours.convert("L").tobytes())
    made.putpalette([channel for level in range(256) for channel in (level, 255 - level, level // 2 + 64)])
    return made


def fixed(value):
    return struct.pack(">i", round(value * 65536))


def profile(space, colorants, curve):
    """ICC version 2, a matrix and one curve for all channels; or a curve alone for grey."""
    xyz = lambda triple: b"XYZ \0\0\0\0" + b"".join(map(fixed, triple))
    curve = b"curv\0\0\0\0" + struct.pack(">I", len(curve)) + struct.pack(f">{len(curve)}H", *curve)
    name = b"test\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + b"\0" * 78,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
    }
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        for letter, triple in zip("rgb", colorants):
            tags[f"{letter}XYZ".encode()] = xyz(triple)
            tags[f"{letter}TRC".encode()] = curve
    offset, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for key, value in tags.items():
        table += key + struct.pack(">II", offset + len(data), len(value))
        data += value + b"\0" * (-len(value) % 4)
    body = struct.pack(">I", len(tags)) + table + data
    head = struct.pack(">I", 128 + len(body)) + b"\0\0\0\0\x02\x20\0\0mntr" + space + b"XYZ "
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + b"".join(map(fixed, (0.9642, 1.0, 0.8249)))
    return head + b"\0" * (128 - len(head)) + body


def srgb_curve():
    linear = lambda v: v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
    return [round(linear(index / 1023) * 65535) for index in range(1024)]


def gamma(value):
    return [round(value * 256)]


def keep(name, file, tag=None):
    """Stores a file and what it should look like."""
    (HERE / name).write_bytes(file)
    shown = Image.open(io.BytesIO(file))
    if tag is not None:
        source = ImageCms.ImageCmsProfile(io.BytesIO(tag))
        shown = ImageCms.profileToProfile(
            shown, source, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
        )
    if shown.mode in ("RGBA", "LA", "P"):
        shown = shown.convert("RGBA")
        shown = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown)
    if shown.mode.startswith("I;16"):
        eight = Image.new("L", shown.size)
        eight.putdata([value // 257 for value in shown.get_flattened_data()])
        shown = eight
    shown.convert("RGB").save(HERE / f"{Path(name).stem}.expected.png", optimize=True)


def encoded(image, kind="JPEG", **options):
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def main():
    colours = picture()
    jpeg = dict(quality=95, subsampling=0)
    for name, primaries, curve in (("adobe_rgb", ADOBE, gamma(2.19921875)), ("display_p3", P3, srgb_curve())):
        tag = profile(b"RGB ", primaries, curve)
        keep(f"{name}.jpg", encoded(colours, **jpeg, icc_profile=tag), tag)
        keep(f"{name}_lossless.png", encoded(colours, "PNG", icc_profile=tag), tag)
    tag = profile(b"GRAY", None, gamma(1.0))
    keep("linear_grey.jpg", encoded(colours.convert("L"), quality=95, icc_profile=tag), tag)
    half = profile(b"RGB ", ADOBE, gamma(2.2))[:200]
    keep("broken_profile.jpg", encoded(colours, **jpeg, icc_profile=half))
    keep("cmyk.jpg", encoded(colours.convert("CMYK"), quality=95))
    keep("progressive_420.jpg", encoded(colours, quality=95, subsampling=2, progressive=True))
    keep("baseline_422.jpg", encoded(colours, quality=95, subsampling=1))
    keep("palette.png", encoded(ramp(colours), "PNG"))
    keep("palette_alpha.png", encoded(ramp(colours), "PNG", transparency=bytes(range(256))))
    rings = [255 if math.hypot(x - 32, y - 32) < 24 else 0 for y in range(SIDE) for x in range(SIDE)]
    bits = Image.new("L", (SIDE, SIDE))
    bits.putdata(rings)
    keep("one_bit.png", encoded(bits.convert("1"), "PNG"))
    deep = Image.new("I;16", (SIDE, SIDE))
    deep.putdata([value * 257 for value in colours.convert("L").get_flattened_data()])
    keep("grey_16.png", encoded(deep, "PNG"))
    alpha = colours.copy()
    alpha.putalpha(colours.getchannel("G"))
    keep("alpha.png", encoded(alpha, "PNG"))
    plain = HERE / "plain.png"
    plain.write_bytes(encoded(colours, "PNG"))
    subprocess.run(["vips", "copy", str(plain), f"{HERE / 'interlaced.png'}[interlace]"], check=True)
    plain.unlink()
    keep("interlaced.png", (HERE / "interlaced.png").read_bytes())
    keep("still.gif", encoded(ramp(colours), "GIF"))


main()
