/* Naive substring search by pointers, up to the terminating zero. */
#include <stdio.h>
static char text[300001];
static const char *find(const char *s, const char *p)
{
    for (; *s; s++) {
        const char *a = s, *b = p;
        while (*b && *a == *b) { a++; b++; }
        if (!*b)
            return s;
    }
    return 0;
}
int main(void)
{
    static const char *const words[] = { "hello", "aaab", "abab", "zebra", "aab" };
    unsigned seed = 3, hits = 0;
    for (int i = 0; i < 300000; i++) { seed = seed * 1103515245u + 12345u; text[i] = 'a' + (seed >> 20 & 1) + (seed >> 28 == 0 ? 6 : 0); }
    for (int round = 0; round < 120; round++)
        for (int w = 0; w < 5; w++)
            for (const char *at = text; (at = find(at, words[w])) != 0; at++)
                hits++;
    printf("%u\n", hits);
    return 0;
}
