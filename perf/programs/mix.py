# Objects, lists, dictionaries, strings, floating point.
class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def move(self, d):
        return Point(self.x + d, self.y - d * 0.5)


def sieve(n):
    flags = bytearray([1]) * n
    for i in range(2, int(n ** 0.5) + 1):
        if flags[i]:
            flags[i * i::i] = bytes(len(range(i * i, n, i)))
    return sum(flags) - 2


def words(n):
    counts = {}
    for i in range(n):
        word = "w%d" % (i * 7919 % 997)
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]


p = Point(0, 0)
for i in range(350000):
    p = p.move(i % 7)
print(p.x, p.y, sieve(600000), words(350000))
