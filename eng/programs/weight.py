# Containers, big integers, floats, exceptions, processes and threads.
import sys, os
import time
words = {}
for line in open("text.txt"):
    for w in line.lower().split():
        words[w] = words.get(w, 0) + 1
for w, n in sorted(words.items(), key=lambda i: (-i[1], i[0]))[:10]:
    print(w, n)
print(2 ** 521 - 1, pow(3, 1000, 10 ** 9 + 7), 1 / 3, 0.1 + 0.2, float("1e308") * 10)
def primes(n):
    s = bytearray([1]) * (n + 1)
    for i in range(2, int(n ** 0.5) + 1):
        if s[i]:
            s[i * i::i] = bytes(len(range(i * i, n + 1, i)))
    return [i for i in range(2, n + 1) if s[i]]
print(len(primes(100000)), primes(100)[-1])
try:
    {}["missing"]
except KeyError as e:
    print("caught", repr(e))
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.write(w, b"from the child")
    os._exit(5)
os.close(w)
print(os.read(r, 100), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
import _thread
lock = _thread.allocate_lock()
total = [0]
done = []
def work(k):
    for i in range(2000):
        with lock:
            total[0] += k
    done.append(k)
for k in range(1, 5):
    _thread.start_new_thread(work, (k,))
while len(done) < 4:
    time.sleep(0.01)
print(total[0], sorted(done))
print(sorted(os.listdir("tree")), os.stat("text.txt").st_size, sys.byteorder)
print("%.17g %r %s" % (sum(i ** -2 for i in range(1, 1000)), [x * x for x in range(5)], {1, 2, 3}))
sys.stderr.write("to stderr\n")
sys.exit(6)
