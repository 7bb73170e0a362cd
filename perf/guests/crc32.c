/* CRC-32 by a table of 256 entries: dependent loads, byte extraction. */
#include <stdint.h>
#include <stdio.h>
int main(void)
{
    static uint32_t table[256];
    static uint8_t buffer[1 << 20];
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int j = 0; j < 8; j++) c = c & 1 ? c >> 1 ^ 0xEDB88320u : c >> 1;
        table[i] = c;
    }
    for (unsigned i = 0; i < sizeof buffer; i++) buffer[i] = i * 31 + (i >> 9);
    uint32_t crc = ~0u;
    for (int round = 0; round < 400; round++)
        for (unsigned i = 0; i < sizeof buffer; i++) crc = crc >> 8 ^ table[(crc ^ buffer[i]) & 255];
    printf("%08x\n", ~crc);
    return 0;
}
