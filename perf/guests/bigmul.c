/* Numbers of a thousand digits and more: schoolbook multiplication of 32-bit limbs, division by a small number. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
enum { Limbs = 2048 };
static uint32_t value[Limbs], product[2 * Limbs];
static int multiply(uint32_t *to, const uint32_t *a, int n, const uint32_t *b, int m)
{
    memset(to, 0, (n + m) * sizeof *to);
    for (int i = 0; i < n; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < m; j++) {
            carry += (uint64_t)a[i] * b[j] + to[i + j];
            to[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        to[i + m] = (uint32_t)carry;
    }
    return to[n + m - 1] ? n + m : n + m - 1;
}
static int scale(uint32_t *a, int n, uint32_t by)
{
    uint64_t carry = 0;
    for (int i = 0; i < n; i++) {
        carry += (uint64_t)a[i] * by;
        a[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) a[n++] = (uint32_t)carry;
    return n;
}
static uint32_t divide(uint32_t *a, int n, uint32_t by)
{
    uint64_t rest = 0;
    for (int i = n - 1; i >= 0; i--) {
        rest = rest << 32 | a[i];
        a[i] = (uint32_t)(rest / by);
        rest %= by;
    }
    return (uint32_t)rest;
}
int main(void)
{
    /* Powers of three by squaring and multiplying, their digits by division. */
    uint32_t sum = 0;
    for (int round = 0; round < 144; round++) {
        int exponent = 20000 + round * 97, n = 1;
        value[0] = 1;
        for (int bit = 1 << 15; bit > 0; bit >>= 1) {
            n = multiply(product, value, n, value, n);
            memcpy(value, product, n * sizeof *value);
            if (exponent & bit) n = scale(value, n, 3);
        }
        for (int digits = 0; digits < 160; digits++) sum = sum * 31 + divide(value, n, 1000000000);
        printf("%d %d %08x\n", exponent, n, sum);
    }
    return 0;
}
