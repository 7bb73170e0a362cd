/* Copying and filling by hand, bytes and words. */
#include <stdio.h>
static volatile unsigned char fill = 3;
static unsigned char a[1 << 18], b[1 << 18];
int main(void)
{
    unsigned sum = 0;
    for (int round = 0; round < 1200; round++) {
        unsigned char f = fill + round;
        for (unsigned i = 0; i < sizeof a; i++) a[i] = (unsigned char)(f + i);
        for (unsigned i = 0; i < sizeof a; i++) b[i] = a[i];
        for (unsigned i = 0; i < sizeof a; i += 4) *(unsigned *)(a + i) = *(unsigned *)(b + i) ^ 0x01010101u;
        for (unsigned i = 0; i < sizeof a; i += 8) sum += a[i];
    }
    printf("%u\n", sum);
    return 0;
}
