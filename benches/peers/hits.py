#!/usr/bin/env python3
"""Memory hits against nginx with sendfile and gunicorn, in interleaved rounds of one run.

hits.py PATH -- SERVER COMMAND...      the server must listen on --port and answer PATH from memory

Prints, for each load, requests a second, CPU per request (user + system time of the server's processes over
the requests that wrk counted), p50 and p99, and the ratios to each peer in the same round (medians); then
how long 100 hits take one after the other on one connection. Needs wrk and nginx. One core: server, peers
and wrk share CPU --cpu, as on a Pi Zero.

gunicorn (1 worker of 4 threads, Flask's send_file) is installed into a folder that ends with the run;
--no-gunicorn leaves it out.
"""
import argparse, os, re, shutil, signal, socket, statistics, subprocess, sys, tempfile, time, urllib.request
import venv

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Accept": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd", "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
    "Referer": "http://vinyl.local:5000/?sort=artist&page=2", "Connection": "keep-alive",
    "sec-ch-ua": '"Chromium";v="142", "Not_A Brand";v="99"', "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"', "Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors",
    "Sec-Fetch-Site": "same-origin", "Priority": "i", "Cache-Control": "no-cache", "Pragma": "no-cache"}
LOADS = [("c=1", 1, {}), ("c=4", 4, {}), ("c=4 browser headers", 4, BROWSER), ("c=8", 8, {}), ("c=32", 32, {})]
# What covers were served by before: Flask's own way to send a file.
WSGI = """
import os
from flask import Flask, send_file
FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hit.webp")
app = Flask(__name__)
@app.get("/hit.webp")
def hit():
    return send_file(FILE, mimetype="image/webp", max_age=31536000)
"""
IN_A_ROW = 100


def ticks(pids):
    """CPU seconds of these processes so far."""
    total = 0
    for pid in pids:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def children(pid):
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(word) for word in out.split()]


def wait_for(port):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nobody listens on port {port}")


def wrk(pin, url, connections, headers, seconds):
    lines = [f"-H{name}: {value}" for name, value in headers.items()]
    command = pin + ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *lines, url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if bad := re.search(r"Non-2xx.*|Socket errors.*", text):
        sys.exit(f"{url}: {bad.group()}")
    unit = {"us": 0.001, "ms": 1, "s": 1000}
    percent = lambda p: next(float(v) * unit[u] for v, u in re.findall(rf"{p}%\s+([\d.]+)(us|ms|s)", text))
    count = int(re.search(r"(\d+) requests in", text).group(1))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
    return count, rate, percent(50), percent(99)


def start_nginx(pin, folder, port):
    open(f"{folder}/nginx.conf", "w").write(f"""
worker_processes 1; pid {folder}/pid; error_log /dev/null; daemon off;
events {{ worker_connections 512; }}
http {{ access_log off; sendfile on; tcp_nopush on; open_file_cache max=100; keepalive_requests 100000000;
  types {{ image/webp webp; }} server {{ listen 127.0.0.1:{port}; root {folder}; }} }}""")
    return subprocess.Popen(pin + ["nginx", "-c", f"{folder}/nginx.conf", "-p", folder], stderr=subprocess.DEVNULL)


def start_gunicorn(pin, folder, port):
    venv.create(f"{folder}/venv", with_pip=True)
    subprocess.run([f"{folder}/venv/bin/pip", "install", "-q", "gunicorn", "flask"], check=True)
    open(f"{folder}/hit.py", "w").write(WSGI)
    command = [f"{folder}/venv/bin/gunicorn", "-w1", "-k", "gthread", "--threads", "4", "--keep-alive", "75",
               "--chdir", folder, "-b", f"127.0.0.1:{port}", "hit:app"]
    return subprocess.Popen(pin + command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def in_a_row(url):
    """Milliseconds of IN_A_ROW hits one after the other on one connection."""
    host, port, path = re.match(r"http://([^:/]+):(\d+)(/.*)", url).groups()
    connection = socket.create_connection((host, int(port)), 5)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    answer = b""
    connection.sendall(request)
    while not (found := re.match(rb"HTTP/1.1 200 .*?content-length: (\d+).*?\r\n\r\n", answer, re.I | re.S)):
        answer += connection.recv(65536) or sys.exit(f"{url}: {answer[:60]}")
    # All are alike: heads have the same length, and Date has.
    size, got = found.end() + int(found[1]), len(answer)
    begun = time.perf_counter()
    for turn in range(IN_A_ROW + 1):
        if turn:
            connection.sendall(request)
            got = 0
        while got < size:
            got += len(connection.recv(65536)) or sys.exit(f"{url}: cut")
    took = (time.perf_counter() - begun) * 1000
    connection.close()
    return took


def compare(args, pin, rivals):
    for name, connections, headers in LOADS:
        rounds = {rival: [] for rival in rivals}
        for _ in range(args.rounds):
            for rival, (url, pid) in rivals.items():
                pids = [pid, *children(pid)]
                before = ticks(pids)
                count, rate, p50, p99 = wrk(pin, url, connections, headers, args.seconds)
                rounds[rival].append((rate, (ticks(pids) - before) / count * 1e6, p50, p99))
        middle = {rival: [statistics.median(column) for column in zip(*rows)] for rival, rows in rounds.items()}
        for rival, (rate, cpu, p50, p99) in middle.items():
            print(f"{name:20} {rival:9} {rate:9.0f}/s {cpu:6.2f} us CPU  p50 {p50:.3f} ms  p99 {p99:.2f} ms")
        for rival in [rival for rival in rivals if rival != "this"]:
            ratio = lambda column: statistics.median(
                mine[column] / theirs[column] for mine, theirs in zip(rounds["this"], rounds[rival]))
            print(f"{name:20} to {rival:9}{ratio(0):7.2f} the requests, {ratio(1):.2f} the CPU", flush=True)
    for rival, (url, _) in rivals.items():
        took = statistics.median(in_a_row(url) for _ in range(args.rounds))
        print(f"{IN_A_ROW} in a row          {rival:9} {took:6.1f} ms, the client's time included", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("path"), parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=7), parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--cpu", type=int, default=0), parser.add_argument("--no-gunicorn", action="store_true")
    split = sys.argv.index("--")
    args, command = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1:]
    pin = ["taskset", "-c", str(args.cpu)]
    folder = tempfile.mkdtemp(prefix="hits-")
    os.chmod(folder, 0o755)
    processes = []
    try:
        processes.append(subprocess.Popen(pin + command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        wait_for(args.port)
        own = f"http://127.0.0.1:{args.port}{args.path}"
        body = urllib.request.urlopen(own).read()
        open(f"{folder}/hit.webp", "wb").write(body)
        peers = [("nginx", start_nginx)] + [("gunicorn", start_gunicorn)] * (not args.no_gunicorn)
        rivals = {}
        for port, (name, start) in enumerate(peers, args.port + 1):
            processes.append(start(pin, folder, port))
            wait_for(port)
            rivals[name] = (f"http://127.0.0.1:{port}/hit.webp", processes[-1].pid)
        rivals["this"] = (own, processes[0].pid)
        print(f"{len(body)} bytes, {args.rounds} rounds of {args.seconds} s, CPU {args.cpu}")
        compare(args, pin, rivals)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
            process.wait()
        shutil.rmtree(folder)


main()
