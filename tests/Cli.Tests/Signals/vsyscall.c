// The vsyscall page: its three entries, a jump to somewhere else in it, reading it.
#include "common.h"

static sigjmp_buf back;

static void fault(int s, siginfo_t *i, void *u)
{
    siglongjmp(back, 1);
}

int main(void)
{
#ifdef __x86_64__
    struct timeval tv = {0};
    long r = ((long (*)(void *, void *))0xffffffffff600000ul)(&tv, 0);
    printf("gettimeofday %ld %d\n", r, tv.tv_sec > 1000000);
    long t = 0;
    r = ((long (*)(void *))0xffffffffff600400ul)(&t);
    printf("time %d\n", r == t && t > 1000000);
    unsigned cpu = 99999, node = 99999;
    r = ((long (*)(void *, void *, void *))0xffffffffff600800ul)(&cpu, &node, 0);
    printf("getcpu %ld %d\n", r, cpu < 99999 && node < 99999);
    handle(SIGSEGV, fault, SA_SIGINFO | SA_NODEFER);
    if (!sigsetjmp(back, 1))
        ((long (*)(void *))0xffffffffff600c00ul)(0), puts("a fourth entry");
    if (!sigsetjmp(back, 1))
        ((long (*)(void *))0xffffffffff600010ul)(0), puts("between entries");
    if (!sigsetjmp(back, 1))
        ((long (*)(void *, void *))0xffffffffff600000ul)((void *)16, 0), puts("a bad argument");
    if (!sigsetjmp(back, 1))
        printf("read %d\n", *(volatile char *)0xffffffffff600000ul);
#endif
    puts("end");
    return 0;
}
