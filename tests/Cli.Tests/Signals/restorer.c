// Handlers without SA_RESTORER.
#include "common.h"
struct k
{
    unsigned h, fl, r, m0, m1;
};
static volatile int n;
static void h1(int s)
{
    n++;
}
static void h3(int s, siginfo_t *i, void *u)
{
    n += 10 + (i->si_signo == s) + (((ucontext_t *)u)->uc_flags != 77);
}
int main()
{
#ifdef __x86_64__
    unsigned long k[4] = {(long)h1, 0, 0, 0};
    pid_t p = fork();
    if (!p)
    {
        syscall(SYS_rt_sigaction, 10, k, 0, 8);
        raise(10);
        _exit(0);
    }
    int st;
    waitpid(p, &st, 0);
    printf("%x\n", st & ~0x80);
#else
    struct k a = {(unsigned)h1, 0};
    syscall(SYS_rt_sigaction, 10, &a, 0, 8);
    syscall(SYS_tkill, getpid(), 10);
    printf("%d\n", n);
    a = (struct k){(unsigned)h3, SA_SIGINFO};
    syscall(SYS_rt_sigaction, 10, &a, 0, 8);
    syscall(SYS_tkill, getpid(), 10);
    printf("%d\n", n);
    unsigned oa[4] = {(unsigned)h1, 0, 0, 0};
    syscall(SYS_sigaction, 12, oa, 0);
    syscall(SYS_tkill, getpid(), 12);
    printf("%d\n", n);
    signal(12, SIG_DFL);
    syscall(SYS_signal, 12, h1);
    syscall(SYS_tkill, getpid(), 12);
    printf("%d\n", n);
#endif
    return 0;
}
