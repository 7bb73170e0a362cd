"""The command lines by which kernels are booted, by DynaTrans and by QEMU; the kernels themselves, as eng/fetch-kernels leaves them."""
import dataclasses
import os
import shlex
import socket

# Nothing is taken from the cache of whoever runs the tests, and nothing goes there; `--cache` in a command outdoes it.
os.environ["DYNATRANS_CACHE"] = "off"

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KERNELS = os.path.join(ROOT, ".cache", "kernels")

# Kernel: the architecture of its user space.
FLAVOURS = {"686": "i386", "686-pae": "i386", "amd64": "amd64", "cloud-amd64": "amd64"}
MEMTESTS = ("memtest86+ia32", "memtest86+x64")


@dataclasses.dataclass(frozen=True)
class Boot:
    """What is booted, and how."""

    kernel: str
    arch: str
    initrd: str | None = None
    append: str = "console=ttyS0"
    memory: int = 256
    engine: str = "auto"
    icount: bool = False
    stats: bool = False
    over_tcp: bool = False
    cache: str | None = None


def kernel(flavour):
    return os.path.join(KERNELS, flavour, "vmlinuz")


def memtest(name):
    return os.path.join(KERNELS, "memtest86+", name + ".bin")


def initramfs(arch):
    return os.path.join(KERNELS, f"initramfs-{arch}.gz")


def dynatrans():
    """The words that start the command: of DYNATRANS, or the Release build of this checkout."""
    return shlex.split(os.environ.get("DYNATRANS", "")) or ["dotnet", os.path.join(ROOT, "src/Cli/bin/Release/net10.0/dynatrans.dll")]


def command(emulator, boot):
    """The command that boots BOOT by EMULATOR ("qemu" or "dynatrans"), with the first serial port on standard input and output, or at a TCP port."""
    if emulator == "qemu":
        serial = f"tcp:127.0.0.1:{free_port()},server=on,wait=on" if boot.over_tcp else "stdio"
        common = ["-m", str(boot.memory), "-nodefaults", "-display", "none", "-monitor", "none", "-serial", serial, "-no-reboot"]
        words = ["qemu-system-x86_64" if boot.arch == "amd64" else "qemu-system-i386", "-accel", "tcg,thread=single", *common]
        words += ["-kernel", boot.kernel, "-append", boot.append]
        words += ["-initrd", boot.initrd] if boot.initrd else []
        # Then nothing but the executed instructions tells what time it is, not even the date.
        words += ["-icount", "shift=2,sleep=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm"] if boot.icount else []
        return words
    words = [*dynatrans(), "boot", "--engine", boot.engine, "-m", f"{boot.memory}M"]
    words += ["--serial", "tcp:0" if boot.over_tcp else "stdio", "--kernel", boot.kernel, "--append", boot.append]
    words += ["--initrd", boot.initrd] if boot.initrd else []
    words += ["--icount"] if boot.icount else []
    words += ["--stats"] if boot.stats else []
    words += ["--cache", boot.cache] if boot.cache else []
    return words


def free_port():
    """A TCP port of this host that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
