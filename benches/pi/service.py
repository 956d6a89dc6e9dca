"""The program as a process: started in a folder, asked over HTTP, looked at through /proc. Standard
library only; knows nothing of what is measured."""

import atexit
import hashlib
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time


class Service:
    """`prefix` is a command that ends by becoming the program (a wrapper that confines it)."""

    def __init__(self, binary, data_dir, flags=(), env=None, prefix=(), preexec=None, descriptors=()):
        own = {name: value for name, value in os.environ.items() if not name.startswith("VINYL_VAULT_")}
        own.update(env or {})
        command = [*prefix, os.path.abspath(binary), "serve", "--listen", "127.0.0.1:0"]
        command += ["--data-dir", str(data_dir), *flags]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=own,
            text=True,
            preexec_fn=preexec,
            pass_fds=descriptors,
        )
        atexit.register(self.process.kill)
        self.log = []
        threading.Thread(target=self._keep_log, daemon=True).start()
        line = self.process.stdout.readline()
        found = re.search(r"http://([\d.]+):(\d+)/", line)
        if not found:
            self.process.wait(10)
            raise SystemExit(f"the server did not start: {line!r}\n{''.join(self.log)}")
        self.host, self.port = found[1], int(found[2])
        self.pid = self._find_pid()
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def _keep_log(self):
        for line in self.process.stderr:
            self.log.append(line)

    def _find_pid(self):
        """Behind a wrapper the program is a child of the process that was started."""
        pid = self.process.pid
        while True:
            with open(f"/proc/{pid}/task/{pid}/children") as children:
                below = children.read().split()
            if not below:
                return pid
            pid = int(below[0])

    def connection(self, own_address=None, timeout=60):
        source = (own_address, 0) if own_address else None
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout, source_address=source)

    def request(self, method, target, body=None, connection=None):
        """(status, headers, bytes)"""
        own = connection or self.connection()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        own.request(method, target, json.dumps(body) if body is not None else None, headers)
        answer = own.getresponse()
        content = answer.read()
        if connection is None:
            own.close()
        return answer.status, answer.headers, content

    def json(self, method, target, body=None):
        status, _, content = self.request(method, target, body)
        if status >= 400:
            raise SystemExit(f"{method} {target}: {status} {content[:300]}")
        return json.loads(content)

    def stats(self):
        return self.json("GET", "/api/cache/stats")

    def preload(self, urls):
        """Returns when the job is over."""
        job = self.json("POST", "/api/cache/preload", {"urls": urls})["job"]
        while True:
            progress = self.json("GET", f"/api/jobs/{job}")
            if progress["state"] in ("done", "cancelled"):
                return progress
            time.sleep(0.5)

    def settle(self):
        while self.stats()["in_flight"]:
            time.sleep(0.2)

    @staticmethod
    def address(url, variant):
        """Where the rendition of a source is whose URL is in its canonical form."""
        return f"/cache/{variant}/{hashlib.sha1(url.encode()).hexdigest()}.webp"

    def status(self, field):
        """A number of /proc/PID/status, kB where that has kB."""
        with open(f"/proc/{self.pid}/status") as lines:
            for line in lines:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        raise SystemExit(f"no {field}")

    def forget_peak(self):
        with open(f"/proc/{self.pid}/clear_refs", "w") as refs:
            refs.write("5")

    def stop(self):
        """Exit code and seconds."""
        begun = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        code = self.process.wait(20)
        return code, time.monotonic() - begun


def albums(origin, count):
    """A shelf to import, its covers at the origin."""
    return [
        {"artist": f"Artist {n % 97}", "title": f"Title {n}", "year": 1960 + n % 60, "cover_url": origin.cover(n)}
        for n in range(count)
    ]
