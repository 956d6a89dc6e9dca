// One contestant of render.py: sharp, one thread.
//   node sharp.mjs two|chain ROUNDS OUT FILE...
// A line a file: name, milliseconds of processor time, bytes at 600, bytes at 150; then the peak.
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import sharp from "sharp";

sharp.concurrency(1);
sharp.cache(false);

const [way, rounds, out, ...files] = process.argv.slice(2);
const box = (side) => ({ width: side, height: side, fit: "inside", withoutEnlargement: true });

async function two(original) {
    const one = (side) => sharp(original).resize(box(side)).webp({ quality: 85 }).toBuffer();
    return [await one(600), await one(150)];
}

// The small one from the pixels of the large one.
async function chain(original) {
    const { data, info } = await sharp(original).resize(box(600)).raw().toBuffer({ resolveWithObject: true });
    const raw = { raw: { width: info.width, height: info.height, channels: info.channels } };
    const large = await sharp(data, raw).webp({ quality: 85 }).toBuffer();
    return [large, await sharp(data, raw).resize(box(150)).webp({ quality: 85 }).toBuffer()];
}

const make = { two, chain }[way];
for (const file of files) {
    const original = readFileSync(file);
    const name = basename(file).replace(/\.\w+$/, "");
    const times = [];
    let made;
    for (let round = 0; round < Number(rounds); round++) {
        const before = process.cpuUsage();
        made = await make(original);
        const spent = process.cpuUsage(before);
        times.push((spent.user + spent.system) / 1000);
    }
    times.sort((a, b) => a - b);
    writeFileSync(join(out, `${name}.600.webp`), made[0]);
    writeFileSync(join(out, `${name}.150.webp`), made[1]);
    const middle = times[Math.floor(times.length / 2)];
    console.log(`${name} ${middle.toFixed(3)} ${made[0].length} ${made[1].length}`);
}
// Not resourceUsage(): that begins with the memory of the process that started this one.
const peak = /VmHWM:\s*(\d+)/.exec(readFileSync("/proc/self/status", "utf8"));
console.log(`peak ${peak[1]}`);
