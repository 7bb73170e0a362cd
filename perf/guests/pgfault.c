/* Fresh pages from the kernel, touched once. usage: pgfault [ROUNDS], of 4096 pages each */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 120;
    unsigned sum = 0;
    for (int round = 0; round < rounds; round++) {
        unsigned char *p = mmap(0, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) return 1;
        for (unsigned i = 0; i < 16u << 20; i += 4096) { sum += p[i]; p[i] = 1; }
        munmap(p, 16 << 20);
    }
    printf("%u\n", sum);
    return 0;
}
