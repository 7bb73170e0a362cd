/* Substring search by hand, one byte after the other. */
#include <stdio.h>
static char text[1 << 20];
static int find(const char *t, int n, const char *p)
{
    int hits = 0;
    for (int i = 0; i < n; i++) {
        int j = 0;
        while (p[j] && t[i + j] == p[j]) j++;
        hits += !p[j];
    }
    return hits;
}
int main(void)
{
    unsigned seed = 5;
    for (unsigned i = 0; i < sizeof text - 16; i++) { seed = seed * 1103515245u + 12345u; text[i] = "abca"[seed >> 16 & 3]; }
    int hits = 0;
    for (int round = 0; round < 60; round++) hits += find(text, sizeof text - 16, "aabca") + find(text, sizeof text - 16, "cab");
    printf("%d\n", hits);
    return 0;
}
