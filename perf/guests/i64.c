/* 64-bit arithmetic: multiply, divide, shift; in 32-bit code by pairs of registers. */
#include <stdint.h>
#include <stdio.h>
int main(void)
{
    uint64_t x = 88172645463325252u, sum = 0;
    for (unsigned i = 1; i < 90000000; i++) {
        x ^= x << 13; x ^= x >> 7; x ^= x << 17;
        sum += x * 0x9E3779B97F4A7C15u + (sum >> 3);
        if (i % 8 == 0) sum ^= x / (i | 1);
    }
    printf("%llu\n", (unsigned long long)sum);
    return 0;
}
