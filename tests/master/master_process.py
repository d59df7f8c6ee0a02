"""A master as a process of its own, ended by its pid."""

import os
import signal
import ssl
import subprocess
import sys
import urllib.request

import yaml


class Process:
    def __init__(self, directory, *options):
        ports = ["--listen", "127.0.0.1:0", "--node-listen", "127.0.0.1:0", "--join-listen", "127.0.0.1:0"]
        argv = [sys.executable, "-m", "sampan_master", "--data-dir", str(directory), *ports, *options]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.directory = directory
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment, text=True)

    def wait_until_ready(self):
        line = self.process.stdout.readline()
        assert "is ready" in line, f"{line!r}, exit code {self.process.poll()}"

    def get(self, path):
        config = yaml.safe_load((self.directory / "admin.kubeconfig").read_text())
        url = config["clusters"][0]["cluster"]["server"] + path
        with urllib.request.urlopen(url, context=self.context(), timeout=60) as answer:
            return answer.read().decode()

    def context(self):
        """TLS as the administrator."""
        context = ssl.create_default_context(cafile=self.directory / "pki" / "ca.crt")
        context.load_cert_chain(self.directory / "pki" / "admin.crt", self.directory / "pki" / "admin.key")
        return context

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
