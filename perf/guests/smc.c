/* One patched instruction and a call, again and again. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
int main(void)
{
    unsigned char *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned sum = 0;
    if (code == MAP_FAILED) return 1;
    for (unsigned i = 0; i < 200000; i++) {
        code[0] = 0xB8; memcpy(code + 1, &i, 4); code[5] = 0xC3;
        sum += ((unsigned (*)(void))code)();
    }
    printf("%u\n", sum);
    return 0;
}
