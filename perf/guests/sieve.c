/* Sieve of Eratosthenes over a byte array: byte stores with a stride, conditional branches. */
#include <stdio.h>
static unsigned char composite[2000000];
int main(void)
{
    unsigned count = 0;
    for (int round = 0; round < 144; round++) {
        for (unsigned i = 0; i < sizeof composite; i++) composite[i] = 0;
        for (unsigned i = 2; i * i < sizeof composite; i++)
            if (!composite[i])
                for (unsigned j = i * i; j < sizeof composite; j += i) composite[j] = 1;
        for (unsigned i = 2; i < sizeof composite; i++) count += !composite[i];
    }
    printf("%u\n", count);
    return 0;
}
