/* memcpy, memset, memcmp and strlen of the C library on buffers of many sizes. */
#include <stdio.h>
#include <string.h>
static char a[1 << 20], b[1 << 20];
int main(void)
{
    unsigned sum = 0;
    for (int round = 0; round < 40; round++) {
        for (unsigned n = 16; n <= sizeof a; n *= 2) {
            for (unsigned i = 0; i < (1u << 20) / n; i++) {
                memset(a, round + (int)i, n - 1);
                memcpy(b, a, n);
                sum += memcmp(a, b, n) == 0;
                b[n - 1] = 0;
                if (b[0]) sum += strlen(b) & 15;
            }
        }
    }
    printf("%u\n", sum);
    return 0;
}
