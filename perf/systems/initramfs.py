"""Packs what is measured inside a guest into an initramfs: a cpio archive in front of the one that eng/make-initramfs makes.

The kernel unpacks archives that follow each other one after the other; this one is not compressed, so that booting stays quick.
"""
import os
import re
import stat
import subprocess

MULTIARCH = {"i386": "i386-linux-gnu", "amd64": "x86_64-linux-gnu"}

# When the files were changed: gzip warns of zero.
TIME = 1_000_000_000


class Archive:
    """A cpio archive, format "newc" (the kernel's Documentation/driver-api/early-userspace/buffer-format.rst)."""

    def __init__(self, out):
        self.out = out
        self.names = set()

    def _entry(self, name, mode, data=b"", device=(0, 0)):
        encoded = name.encode() + b"\0"
        fields = [len(self.names), mode, 0, 0, 1, TIME, len(data), 0, 0, *device, len(encoded), 0]
        self.out.write(b"070701" + b"".join(b"%08X" % field for field in fields) + encoded)
        self._align(4)
        self.out.write(data)
        self._align(4)

    def _align(self, boundary):
        self.out.write(b"\0" * (-self.out.tell() % boundary))

    def _add(self, name, *entry):
        name = name.strip("/")
        if name in self.names:
            return
        folder = os.path.dirname(name)
        if folder and folder not in self.names:
            self._add(folder, stat.S_IFDIR | 0o755)
        self.names.add(name)
        self._entry(name, *entry)

    def folder(self, name):
        self._add(name, stat.S_IFDIR | 0o755)

    def device(self, name, major, minor):
        self._add(name, stat.S_IFCHR | 0o666, b"", (major, minor))

    def file(self, name, path):
        with open(path, "rb") as file:
            self._add(name, stat.S_IFREG | 0o755, file.read())

    def finish(self, following):
        """Ends the archive and appends FOLLOWING, a file."""
        self._entry("TRAILER!!!", 0)
        self._align(512)
        with open(following, "rb") as file:
            self.out.write(file.read())


def in_root(root, path):
    """The file on the host that PATH is in ROOT; links are followed inside of ROOT."""
    for _ in range(20):
        host = os.path.join(root, path.lstrip("/"))
        if not os.path.islink(host):
            return host
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(host)))
    raise OSError(f"{path}: too many links")


def add_program(archive, root, arch, program, place):
    """Adds PROGRAM of the guest root ROOT below PLACE, with its loader and libraries."""
    libraries = [folder + MULTIARCH[arch] for folder in ("/lib/", "/usr/lib/")]
    pending = [program]
    seen = set()
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        host = in_root(root, path)
        archive.file(place + path, host)
        text = subprocess.run(["readelf", "-ld", host], capture_output=True, text=True, check=True).stdout
        pending += re.findall(r"\[Requesting program interpreter: (.*)\]", text)
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", text):
            found = next((f"{folder}/{name}" for folder in libraries if os.path.lexists(os.path.join(root, folder.lstrip("/"), name))), None)
            if not found:
                raise OSError(f"{path} needs {name}, which is not in {root}")
            pending.append(found)


def add_tree(archive, host, place):
    """Adds the folder HOST of the host as PLACE."""
    for folder, _, files in os.walk(host):
        for name in sorted(files):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                archive.file(os.path.join(place, os.path.relpath(path, host)), path)
