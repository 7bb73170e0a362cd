/* Indirect calls through a table of small functions. */
#include <stdio.h>
#define NOINLINE __attribute__((noinline))
static NOINLINE unsigned f0(unsigned x) { return x + 3; }
static NOINLINE unsigned f1(unsigned x) { return x ^ 0x5A5A; }
static NOINLINE unsigned f2(unsigned x) { return x * 5; }
static NOINLINE unsigned f3(unsigned x) { return (x >> 1) + 7; }
static unsigned (*volatile table[4])(unsigned) = { f0, f1, f2, f3 };
int main(void)
{
    unsigned x = 1;
    for (unsigned i = 0; i < 180000000; i++) x = table[(x >> 2 ^ i) & 3](x);
    printf("%u\n", x);
    return 0;
}
