/* An LZ77 matcher: hash chains of three bytes, the longest match of a window, then decoded again. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
enum { Size = 1 << 20, Window = 1 << 15, Shortest = 3, Longest = 258, Tries = 24, Bits = 14 };
static uint8_t text[Size], packed[Size + Size / 8 + 64], unpacked[Size];
static int head[1 << Bits], previous[Window];
static unsigned hash(const uint8_t *p) { return ((unsigned)p[0] << 16 ^ (unsigned)p[1] << 8 ^ p[2]) * 2654435761u >> (32 - Bits); }
static void enter(int at)
{
    unsigned h = hash(text + at);
    previous[at & (Window - 1)] = head[h];
    head[h] = at;
}
/* A token is a flag byte for eight of: one byte as it is, or distance (two bytes) and length (one). */
static int pack(void)
{
    int out = 0, flags = 0, count = 8;
    memset(head, -1, sizeof head);
    for (int at = 0; at < Size;) {
        int best = 0, from = 0, limit = Size - at < Longest ? Size - at : Longest;
        if (limit >= Shortest) {
            int candidate = head[hash(text + at)];
            for (int tries = Tries; candidate >= 0 && at - candidate < Window && tries > 0; tries--) {
                int length = 0;
                while (length < limit && text[candidate + length] == text[at + length]) length++;
                if (length > best) { best = length; from = candidate; }
                candidate = previous[candidate & (Window - 1)];
            }
        }
        if (count == 8) { flags = out++; packed[flags] = 0; count = 0; }
        if (best >= Shortest) {
            packed[flags] |= 1 << count;
            packed[out++] = (at - from) & 255;
            packed[out++] = (at - from) >> 8;
            packed[out++] = best - Shortest;
        } else {
            best = 1;
            packed[out++] = text[at];
        }
        count++;
        for (; best > 0; best--, at++) if (at + Shortest <= Size) enter(at);
    }
    return out;
}
static void unpack(int size)
{
    uint8_t *to = unpacked;
    for (int in = 0; in < size;) {
        int flags = packed[in++];
        for (int i = 0; i < 8 && in < size; i++, flags >>= 1) {
            if (!(flags & 1)) { *to++ = packed[in++]; continue; }
            const uint8_t *from = to - (packed[in] | packed[in + 1] << 8);
            for (int length = packed[in + 2] + Shortest; length > 0; length--) *to++ = *from++;
            in += 3;
        }
    }
}
int main(void)
{
    uint32_t seed = 11, sum = 0;
    for (int round = 0; round < 8; round++) {
        /* Words of a small alphabet, some of them said before. */
        for (int i = 0; i < Size;) {
            seed = seed * 1664525u + 1013904223u;
            int length = 2 + (seed >> 9 & 7), back = 1 + (seed >> 12 & 0xfff);
            for (int j = 0; j < length && i < Size; j++, i++)
                text[i] = seed >> 30 && i >= back ? text[i - back] : 'a' + (seed >> (j * 3) & 15) + round;
        }
        int size = pack();
        unpack(size);
        for (int i = 0; i < size; i++) sum = sum * 31 + packed[i];
        printf("%d %08x %s\n", size, sum, memcmp(text, unpacked, Size) ? "differs" : "same");
    }
    return 0;
}
