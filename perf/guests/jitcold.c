/* Freshly generated functions, each called three times. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
int main(void)
{
    unsigned char *code = mmap(0, 1 << 23, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned sum = 0;
    if (code == MAP_FAILED) return 1;
    for (unsigned i = 0; i < 100000; i++) {
        unsigned char *p = code + i * 64;
        for (int j = 0; j < 8; j++) { p[j * 5] = j ? 0x05 : 0xB8; unsigned v = i * 3 + j; memcpy(p + j * 5 + 1, &v, 4); }
        p[40] = 0xC3;
        for (int j = 0; j < 3; j++) sum += ((unsigned (*)(void))p)();
    }
    printf("%u\n", sum);
    return 0;
}
