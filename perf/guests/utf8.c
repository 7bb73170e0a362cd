/* A UTF-8 validator of comparisons and branches, which counts characters and classes: a byte after the other, hard to predict. */
#include <stdint.h>
#include <stdio.h>
enum { Size = 1 << 20 };
static uint8_t text[Size + 4];
/* Bytes of the character at p, or 0: overlong, surrogate, above U+10FFFF, cut off. */
static int character(const uint8_t *p, const uint8_t *end, uint32_t *code)
{
    uint32_t c = p[0];
    int length;
    if (c < 0x80) { *code = c; return 1; }
    if (c < 0xC2 || c > 0xF4) return 0;
    if (c < 0xE0) { length = 2; c &= 0x1F; } else if (c < 0xF0) { length = 3; c &= 0x0F; } else { length = 4; c &= 0x07; }
    if (end - p < length) return 0;
    for (int i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
        c = c << 6 | (p[i] & 0x3F);
    }
    if (length == 3 && (c < 0x800 || (c >= 0xD800 && c < 0xE000))) return 0;
    if (length == 4 && (c < 0x10000 || c > 0x10FFFF)) return 0;
    *code = c;
    return length;
}
static int put(uint8_t *p, uint32_t c)
{
    if (c < 0x80) { p[0] = c; return 1; }
    if (c < 0x800) { p[0] = 0xC0 | c >> 6; p[1] = 0x80 | (c & 0x3F); return 2; }
    if (c < 0x10000) { p[0] = 0xE0 | c >> 12; p[1] = 0x80 | (c >> 6 & 0x3F); p[2] = 0x80 | (c & 0x3F); return 3; }
    p[0] = 0xF0 | c >> 18; p[1] = 0x80 | (c >> 12 & 0x3F); p[2] = 0x80 | (c >> 6 & 0x3F); p[3] = 0x80 | (c & 0x3F);
    return 4;
}
int main(void)
{
    static const uint32_t bases[8] = { ' ', 'a', 'A', 0xC0, 0x410, 0x4E00, 0x1F300, 0x3B1 };
    uint32_t seed = 17, sum = 0;
    int good = 0, bad = 0, classes[5] = { 0 };
    for (int i = 0; i < Size;) {
        seed = seed * 1664525u + 1013904223u;
        if (seed % 101 == 0) text[i++] = seed >> 24; else i += put(text + i, bases[seed >> 29] + (seed >> 8 & 31));
    }
    for (int round = 0; round < 60; round++) {
        const uint8_t *p = text + round, *end = text + Size;
        while (p < end) {
            uint32_t code = 0xFFFD;
            int length = character(p, end, &code);
            if (length) good++; else bad++;
            classes[length]++;
            sum = (sum << 1 | sum >> 31) ^ code;
            p += length ? length : 1;
        }
    }
    printf("%d %d %d %d %d %d %08x\n", good, bad, classes[1], classes[2], classes[3], classes[4], sum);
    return 0;
}
