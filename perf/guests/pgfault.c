/* Fresh pages from the kernel, touched once. */
#include <stdio.h>
#include <sys/mman.h>
int main(void)
{
    unsigned sum = 0;
    for (int round = 0; round < 120; round++) {
        unsigned char *p = mmap(0, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) return 1;
        for (unsigned i = 0; i < 16u << 20; i += 4096) { sum += p[i]; p[i] = 1; }
        munmap(p, 16 << 20);
    }
    printf("%u\n", sum);
    return 0;
}
