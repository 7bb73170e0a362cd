"""The commands that eng/boot-tests types at a booted system's prompt, and what they have to print.

Each is (name, shell command, what it prints: a text, or a function that says what is wrong with an output, or None).
"""
import datetime
import hashlib
import re

COUNT = 300_000
NUMBERS = "".join(f"{i}\n" for i in range(1, COUNT + 1))

# What a kernel says of a machine that does not do what it should.
SUSPECT = re.compile(
    r"\bBUG\b|WARNING|Oops|[Uu]nexpected|[Uu]nhandled|Call Trace|Kernel panic|general protection|divide error|invalid opcode|double fault|segfault"
    r"|soft lockup|hard LOCKUP|self-detected stall|detected stalls|blocked for more than|nobody cared|APIC error|[Cc]orrupt|self.?test.*fail|alg: .*fail"
    r"|[Tt]imed out")


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def swapped():
    """NUMBERS with the last two digits of each line in front, sorted as bytes."""
    lines = [line[-2:] + line[:-2] if len(line) > 2 else line for line in NUMBERS.splitlines()]
    return "".join(line + "\n" for line in sorted(lines))


def series():
    total = 0.0
    for i in range(1, 30000):
        total += 1.5 / (i * i) - i / 7e8
    return f"{total:.9f}\n"


def fields(*patterns):
    """Each of the patterns is found."""
    return lambda output: next((f"no {pattern!r}" for pattern in patterns if not re.search(pattern, output, re.MULTILINE)), None)


def between(least, most):
    def check(output):
        return None if re.fullmatch(r"-?\d+\n", output) and least <= int(output) <= most else f"{output.strip()!r} is not from {least} to {most}"
    return check


def no_suspects(output):
    lines = [line for line in output.splitlines() if SUSPECT.search(line)]
    return "; ".join(lines[:3]) or (None if len(output.splitlines()) > 50 else "the log is too short")


def date_is_right(output):
    """Within a day of the host's date."""
    now = datetime.datetime.now(datetime.timezone.utc).timestamp()
    return between(now - 86400, now + 86400)(output)


def commands(arch, memory, icount):
    """The commands for a system of that architecture ("i386", "amd64") with so many MiB."""
    machine = "x86_64" if arch == "amd64" else "i686"
    flags = r"^flags\s*:.* fpu .*tsc .*sse2 " if arch == "i386" else r"^flags\s*:.* fpu .*tsc .*sse2 .*\blm\b"
    forks = "i=0; while [ $i -lt 300 ]; do /bin/true && /bin/busybox false || i=$((i+1)); done; echo $i"
    yield "uname", "uname -sm", f"Linux {machine}\n"
    yield "seq, wc", f"seq 1 {COUNT} >/tmp/n; wc </tmp/n | tr -s ' '", f" {COUNT} {COUNT} {len(NUMBERS)}\n"
    yield "sha256sum", "sha256sum /tmp/n", f"{sha256(NUMBERS)}  /tmp/n\n"
    yield "md5sum", "md5sum /tmp/n", f"{hashlib.md5(NUMBERS.encode()).hexdigest()}  /tmp/n\n"
    yield "awk", "awk '{s+=$1%97*$1} END{printf \"%.0f\\n\",s}' /tmp/n", f"{sum(i % 97 * i for i in range(1, COUNT + 1))}\n"
    yield "awk, float", "awk 'BEGIN{for(i=1;i<30000;i++)s+=1.5/(i*i)-i/7e8;printf \"%.9f\\n\",s}'", series()
    yield "sed, sort", r"sed 's/\(.*\)\(..\)$/\2\1/' /tmp/n | sort >/tmp/s; sha256sum </tmp/s", f"{sha256(swapped())}  -\n"
    yield "gzip -9", "gzip -9 -c /tmp/s >/tmp/s.gz; gunzip -c /tmp/s.gz | cmp - /tmp/s && gunzip -t /tmp/s.gz && echo same", "same\n"
    yield "bzip2", "head -c 100000 /tmp/s | bzip2 -c | bunzip2 -c | sha256sum", f"{sha256(swapped()[:100000])}  -\n"
    yield "dc", "echo '3 400 ^ p' | dc | tr -d '\\\\\\n' | sha256sum", f"{sha256(str(3 ** 400))}  -\n"
    yield "tar", "tar -cf - /bin/busybox 2>/dev/null | tar -xf - -C /tmp; cmp /bin/busybox /tmp/bin/busybox && echo same", "same\n"
    yield "fork, exec", forks, "300\n"
    yield "pipes", "seq 1 2000 | while read x; do echo $((x*x)); done | (cat | tail -n 1)", "4000000\n"
    yield "many pipes", "for i in 1 2 3 4 5 6 7 8; do seq 1 500 | tac | sort -n | uniq | wc -l; done | sort -u", "500\n"
    yield "signals", "sh -c 'kill -SEGV $$'; echo $?; sh -c 'kill -9 $$'; echo $?", "Segmentation fault\n139\nKilled\n137\n"
    yield "traps", "sh -c 'trap \"echo caught\" USR1; kill -USR1 $$; echo on'", "caught\non\n"
    # Seconds, for on a busy host a fork may take tenths of them.
    yield "background", "sh -c 'for i in 4 2 3 1; do (sleep $i; echo $i) & done; wait'", "1\n2\n3\n4\n"
    yield "memory", "dd if=/dev/zero bs=1M count=32 2>/dev/null | tr '\\0' 'x' >/tmp/x; sha256sum </tmp/x; rm /tmp/x", f"{sha256('x' * (32 << 20))}  -\n"
    yield "meminfo", "awk '/^MemTotal/{print int($2/1024)}' /proc/meminfo", between(memory * 3 // 4, memory)
    yield "/proc/cpuinfo", "cat /proc/cpuinfo", fields(r"^processor\s*: 0$", r"^vendor_id\s*: \w+", r"^fpu\s*: yes$", r"^wp\s*: yes$", r"^bogomips\s*: [1-9]", flags)
    yield "clock", "a=$(cut -d. -f1 /proc/uptime); sleep 3; b=$(cut -d. -f1 /proc/uptime); echo $((b-a))", between(3, 5)
    yield "date", "date +%s", between(0, 1 << 40) if icount else date_is_right
    yield "interrupts", "awk '$1==\"LOC:\"||$NF==\"timer\"{n+=$2} END{print n}' /proc/interrupts", between(100, 1 << 40)
    yield "random", "head -c 65536 /dev/urandom | gzip -c | wc -c", between(65000, 66000)
    yield "taint", "cat /proc/sys/kernel/tainted", "0\n"
    yield "dmesg", "dmesg", no_suspects
