/* rep movs, stos, scas and cmps. */
#include <stdio.h>
static char a[1 << 16], b[1 << 16];
int main(void)
{
    unsigned long sum = 0;
    for (int round = 0; round < 20000; round++) {
        void *d = a; const void *s = b; unsigned long n = sizeof a / 4;
        __asm__ volatile("rep stosl" : "+D"(d), "+c"(n) : "a"(round) : "memory");
        d = b; s = a; n = sizeof a - (round & 63);
        __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
        if (round % 16 == 0) {
            d = b; s = a; n = 4096;
            __asm__ volatile("repe cmpsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory", "cc");
            sum += n;
            d = b; n = 4096;
            __asm__ volatile("repne scasb" : "+D"(d), "+c"(n) : "a"(0x7F) : "memory", "cc");
            sum += n;
        }
    }
    printf("%lu\n", sum);
    return 0;
}
