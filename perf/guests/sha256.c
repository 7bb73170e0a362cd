/* Rounds as in SHA-256 (with constants of our own) over a buffer: 32-bit rotates, adds and logic in long straight loops. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
static uint32_t k[64], h[8];
static uint32_t ror(uint32_t x, int n) { return x >> n | x << (32 - n); }
static void block(const uint8_t *p)
{
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++) w[i] = (uint32_t)p[i*4] << 24 | p[i*4+1] << 16 | p[i*4+2] << 8 | p[i*4+3];
    for (int i = 16; i < 64; i++)
        w[i] = w[i-16] + (ror(w[i-15], 7) ^ ror(w[i-15], 18) ^ w[i-15] >> 3) + w[i-7] + (ror(w[i-2], 17) ^ ror(w[i-2], 19) ^ w[i-2] >> 10);
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t a = v[7] + (ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
        uint32_t b = (ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        v[7] = v[6]; v[6] = v[5]; v[5] = v[4]; v[4] = v[3] + a; v[3] = v[2]; v[2] = v[1]; v[1] = v[0]; v[0] = a + b;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
}
int main(void)
{
    static uint8_t buffer[65536];
    int n = 0;
    for (unsigned p = 2; n < 64; p++) {
        int prime = 1;
        for (unsigned d = 2; d * d <= p; d++) prime &= p % d != 0;
        if (!prime) continue;
        if (n < 8) h[n] = (uint32_t)(p * 0x9E3779B9u);
        k[n++] = p * 0x85EBCA6Bu ^ p << 7;
    }
    for (unsigned i = 0; i < sizeof buffer; i++) buffer[i] = i * 7 + (i >> 8);
    for (int round = 0; round < 1600; round++)
        for (unsigned i = 0; i < sizeof buffer; i += 64) block(buffer + i);
    for (int i = 0; i < 8; i++) printf("%08x", h[i]);
    printf("\n");
    return 0;
}
