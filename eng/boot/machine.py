"""A machine under test: an emulator as a process, whose first serial port is the process's standard input and output."""
import bisect
import collections
import os
import re
import select
import signal
import socket
import subprocess
import threading
import time


# The shell's prompt; busybox then asks where the cursor is.
PROMPT = r"^[~/]\S* # (?:\x1b\[6n)?"


# What a command printed, with single newlines; the host's time between the two marks around it.
Result = collections.namedtuple("Result", "status output seconds")


class BootError(Exception):
    """What was awaited did not come; the text is for the user."""


class Machine:
    """Runs COMMAND; what the serial line says is kept with the host's time of each piece.

    The emulator's own messages (standard error) are kept apart.
    """

    def __init__(self, command):
        self.started = time.monotonic()
        # A group of its own: the emulator may have children, and Ctrl-C at our terminal is for us.
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        self.received = bytearray()
        self.messages = bytearray()
        self.position = 0
        self.commands = 0
        self.ends = []
        self.times = []
        self.closed = False
        self.broken = None
        self.changed = threading.Condition()
        self.line = self._open_serial()
        self.readers = [threading.Thread(target=self._read_serial, daemon=True), threading.Thread(target=self._read_messages, daemon=True)]
        for reader in self.readers:
            reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def _open_serial(self):
        """What the serial line is read from, a file descriptor."""
        return self.process.stdout.fileno()

    def _write(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def _read(self):
        """What has come, nothing at the end."""
        try:
            return os.read(self.line, 65536)
        except ConnectionError as error:
            self.broken = str(error)
            return b""

    def _read_serial(self):
        while data := self._read():
            with self.changed:
                self.received += data
                self.ends.append(len(self.received))
                self.times.append(time.monotonic())
                self.changed.notify_all()
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def _read_messages(self):
        while data := os.read(self.process.stderr.fileno(), 65536):
            self.messages += data

    def expect(self, pattern, timeout):
        """Waits for PATTERN after what was matched last. The match, and the host's time at which its end was received."""
        expression = re.compile(pattern.encode() if isinstance(pattern, str) else pattern, re.MULTILINE)
        deadline = time.monotonic() + timeout
        with self.changed:
            while not (match := expression.search(self.received, self.position)):
                if self.closed:
                    raise BootError(f"the serial line was closed, {expression.pattern.decode()!r} had not come; status {self.wait(10)}")
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    raise BootError(f"{expression.pattern.decode()!r} has not come within {timeout:.0f} s")
            self.position = match.end()
            return match, self.times[bisect.bisect_left(self.ends, match.end())]

    def send(self, text):
        """Types TEXT on the serial line."""
        try:
            self._write(text.encode())
        except ConnectionError:
            raise BootError("the serial line was closed") from None

    def command(self, line, timeout):
        """Types a shell command; its Result."""
        self.commands += 1
        mark = self.commands
        # What is typed comes back as an echo, in which the marks are not yet put together.
        self.send(f'echo -"{mark}"-; {line}; echo "="$?"={mark}="\n')
        _, begun = self.expect(rf"^-{mark}-\r*\n", timeout)
        start = self.position
        match, ended = self.expect(rf"=(\d+)={mark}=\r*\n", timeout)
        self.expect(PROMPT, timeout)
        return Result(int(match[1]), self.received[start:match.start()].decode(errors="replace").replace("\r", ""), ended - begun)

    def wait(self, timeout):
        """The status of the emulator once it has ended; negative: the signal that ended it. None: it still runs."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        for reader in self.readers:
            if reader is not threading.current_thread():
                reader.join(5)
        return status

    def kill(self):
        """Ends the emulator at once, if it still runs."""
        if self.process.poll() is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.wait(10)
        self.process.stdin.close()

    def text(self):
        """All that the serial line has said."""
        return bytes(self.received).decode(errors="replace")

    def cpu_seconds(self):
        """User and system time of all threads of the emulator so far."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_kib(self):
        """Resident memory in KiB; a page that is mapped several times counts once."""
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as file:
            return int(re.search(r"^Pss: +(\d+) kB", file.read(), re.MULTILINE)[1])


class SocketMachine(Machine):
    """The same with its first serial port at a TCP port of this host, on which the emulator says that it waits."""

    PATIENCE = 60

    def _open_serial(self):
        deadline = time.monotonic() + self.PATIENCE
        while not (found := re.search(rb"waiting for (?:a )?connection .*tcp:(?:127\.0\.0\.1:)?(\d+)", self.messages)):
            # Before the readers are started.
            ready, _, _ = select.select([self.process.stderr], [], [], deadline - time.monotonic()) if time.monotonic() < deadline else ([], [], [])
            data = os.read(self.process.stderr.fileno(), 65536) if ready else b""
            if not data:
                super().kill()
                raise BootError("the emulator does not wait for a connection")
            self.messages += data
        self.socket = socket.create_connection(("127.0.0.1", int(found[1])), self.PATIENCE)
        self.socket.settimeout(None)
        return self.socket.fileno()

    def _write(self, data):
        self.socket.sendall(data)

    def kill(self):
        super().kill()
        self.socket.close()
