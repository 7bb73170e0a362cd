// Arguments and errors of the calls about actions and masks; the old calls of i386.
#include "common.h"
struct ks
{
    void *h;
    unsigned long fl;
    void *r;
    unsigned long long m;
};
struct ks32
{
    unsigned h, fl, r, m0, m1;
};
static void h(int s)
{
}
int main()
{
    struct sigaction a;
    printf("%s %s %s %s\n", outcome(syscall(SYS_rt_sigaction, 0, 0, 0, 8)), outcome(syscall(SYS_rt_sigaction, 65, 0, 0, 8)),
        outcome(syscall(SYS_rt_sigaction, 10, 0, 0, 4)), outcome(syscall(SYS_rt_sigaction, 9, 0, 0, 8)));
    memset(&a, 0, sizeof a);
    a.sa_handler = h;
    printf("%s %s\n", outcome(sigaction(9, &a, 0)), outcome(sigaction(19, &a, 0)));
    printf("%s %s\n", outcome(syscall(SYS_rt_sigaction, 10, 1, 0, 8)), outcome(syscall(SYS_rt_sigaction, 10, 0, 1, 8)));
    unsigned char buf[64], out[64];
    memset(buf, 0xff, 64);
    memset(out, 0, 64);
    syscall(SYS_rt_sigaction, 40, buf, 0, 8);
    syscall(SYS_rt_sigaction, 40, 0, out, 8);
    for (int i = 0; i < (sizeof(long) == 8 ? 32 : 20); i++)
        printf("%02x", out[i]);
    puts("");
    unsigned long long m = 0x123456789abcdef0ull, o;
    for (int k = -1; k < 5; k++)
    {
        o = 0;
        printf("how %d %s", k, outcome(syscall(SYS_rt_sigprocmask, k, &m, &o, 8)));
        syscall(SYS_rt_sigprocmask, 0, 0, &o, 8);
        printf(" %llx\n", o);
    }
    printf("%s %s %s %s\n", outcome(syscall(SYS_rt_sigprocmask, 0, 1, 0, 8)), outcome(syscall(SYS_rt_sigprocmask, 0, 0, 1, 8)),
        outcome(syscall(SYS_rt_sigprocmask, 77, 0, 0, 8)), outcome(syscall(SYS_rt_sigprocmask, 0, 0, 0, 7)));
    m = ~0ull;
    syscall(SYS_rt_sigprocmask, 2, &m, 0, 8);
    syscall(SYS_rt_sigprocmask, 0, 0, &o, 8);
    printf("all %llx\n", o);
    printf("pending %s %s %s\n", outcome(syscall(SYS_rt_sigpending, &o, 9)), outcome(syscall(SYS_rt_sigpending, &o, 4)),
        outcome(syscall(SYS_rt_sigpending, 1, 8)));
    printf("suspend %s %s\n", outcome(syscall(SYS_rt_sigsuspend, &o, 4)), outcome(syscall(SYS_rt_sigsuspend, 1, 8)));
    struct timespec t = {0, 1000000000};
    printf("tw %s %s %s\n", outcome(syscall(SYS_rt_sigtimedwait, &m, 0, &t, 8)), outcome(syscall(SYS_rt_sigtimedwait, &m, 0, 1, 8)),
        outcome(syscall(SYS_rt_sigtimedwait, 1, 0, 0, 8)));
    t = (struct timespec){0, 0};
    printf("tw %s\n", outcome(syscall(SYS_rt_sigtimedwait, &m, 0, &t, 8)));
    raise(10);
    printf("tw efault %s\n", outcome(syscall(SYS_rt_sigtimedwait, &m, 1, &t, 8)));
    printf("tw again %s\n", outcome(syscall(SYS_rt_sigtimedwait, &m, 0, &t, 8)));
    printf("restart_syscall %s\n", outcome(syscall(SYS_restart_syscall)));
    printf("kill0 %s kill bad %s\n", outcome(kill(getpid(), 0)), outcome(kill(getpid(), 99)));
#ifndef __x86_64__
    m = 0;
    syscall(SYS_rt_sigprocmask, 2, &m, 0, 8);
    printf("ssetmask %lx", syscall(SYS_ssetmask, 0x55aa));
    printf(" sgetmask %lx\n", syscall(SYS_sgetmask));
    syscall(SYS_rt_sigprocmask, 0, 0, &o, 8);
    printf("%llx\n", o);
    m = 0xf00000000ull;
    syscall(SYS_rt_sigprocmask, 0, &m, 0, 8);
    unsigned s = 0x3000, os = 0;
    for (int k = 0; k < 4; k++)
    {
        printf("sigprocmask %s old %x", outcome(syscall(SYS_sigprocmask, k, &s, &os)), os);
        syscall(SYS_rt_sigprocmask, 0, 0, &o, 8);
        printf(" -> %llx\n", o);
    }
    unsigned oa[4] = {(unsigned)h, 0xffffffff, 0xffffffff, 0}, ob[4];
    printf("sigaction %s\n", outcome(syscall(SYS_sigaction, 12, oa, ob)));
    syscall(SYS_sigaction, 12, 0, ob);
    printf("%d %x %x %x\n", ob[0] == (unsigned)h, ob[1], ob[2], ob[3]);
    printf("signal %d", syscall(SYS_signal, 12, SIG_IGN) == (long)h);
    syscall(SYS_sigaction, 12, 0, ob);
    printf(" %x %x %x\n", ob[0], ob[1], ob[2]);
    printf("%s %s\n", outcome(syscall(SYS_signal, 9, SIG_IGN)), outcome(syscall(SYS_sigaction, 65, 0, 0)));
    raise(13);
    unsigned pe;
    syscall(SYS_sigpending, &pe);
    printf("pend %x\n", pe);
#endif
    return 0;
}
