// sigaltstack: flags, errors, SS_AUTODISARM, the stack in the frame, a frame that does not fit.
#include "common.h"
static char al[65536], al2[65536];
static int k;
static void sh(const char *t)
{
    stack_t s;
    memset(&s, 0x55, sizeof s);
    sigaltstack(0, &s);
    printf("%s: sp %d flags %x size %lx\n", t, s.ss_sp == al ? 1 : s.ss_sp == al2 ? 2 : s.ss_sp ? 9 : 0, s.ss_flags, (long)s.ss_size);
}
static void h(int s, siginfo_t *i, void *u)
{
    ucontext_t *c = u;
    char x;
    printf("handler on alt %d; uc_stack %d flags %x size %lx\n", &x >= al && &x < al + 65536,
        c->uc_stack.ss_sp == al    ? 1
        : c->uc_stack.ss_sp == al2 ? 2
                                   : 0,
        c->uc_stack.ss_flags, (long)c->uc_stack.ss_size);
    sh("in");
    stack_t n = {.ss_sp = al2, .ss_size = 65536};
    printf("change in handler %s\n", outcome(sigaltstack(&n, 0)));
    n.ss_flags = SS_DISABLE;
    printf("disable in handler %s\n", outcome(sigaltstack(&n, 0)));
    sh("in2");
    if (k == 1)
    {
        c->uc_stack.ss_sp = al2;
        c->uc_stack.ss_size = 4096;
        c->uc_stack.ss_flags = 0;
    }
    if (k == 2)
    {
        k = 0;
        raise(SIGUSR1);
    }
}
static int deep;
static void ov(int s)
{
    char b[20000];
    memset(b, 1, 20000);
    if (deep++ < 5)
        raise(SIGUSR2);
}
int main()
{
    setvbuf(stdout, 0, _IONBF, 0);
    sh("start");
    handle(SIGUSR1, h, SA_SIGINFO | SA_ONSTACK);
    raise(SIGUSR1);
    sh("after none");
    stack_t s = {.ss_sp = al, .ss_size = 65536};
    s.ss_size = 100;
    printf("%s\n", outcome(sigaltstack(&s, 0)));
    s.ss_size = 2047;
    printf("%s\n", outcome(sigaltstack(&s, 0)));
    s.ss_size = 2048;
    printf("%s\n", outcome(sigaltstack(&s, 0)));
    sh("2048");
    s.ss_size = 65536;
    for (int f = 0; f < 8; f++)
    {
        s.ss_flags = f;
        errno = 0;
        printf("flags %d: %s\n", f, outcome(sigaltstack(&s, 0)));
        sh(" ");
    }
    s.ss_flags = 1 << 31;
    printf("autodisarm %s\n", outcome(sigaltstack(&s, 0)));
    sh("ad");
    s.ss_flags = (1 << 31) | 1;
    printf("%s\n", outcome(sigaltstack(&s, 0)));
    sh("ad1");
    s.ss_flags = (1 << 31) | 2;
    printf("%s\n", outcome(sigaltstack(&s, 0)));
    sh("ad2");
    s.ss_flags = 0x40000000;
    printf("%s\n", outcome(sigaltstack(&s, 0)));
    s.ss_flags = 0;
    sigaltstack(&s, 0);
    raise(SIGUSR1);
    sh("after");
    k = 1;
    raise(SIGUSR1);
    sh("after k1");
    sigaltstack(&s, 0);
    k = 2;
    raise(SIGUSR1);
    sh("after nested");
    s.ss_flags = 1 << 31;
    sigaltstack(&s, 0);
    k = 0;
    raise(SIGUSR1);
    sh("after ad");
    k = 1;
    raise(SIGUSR1);
    sh("after ad k1");
    if (!fork())
    {
        sh("child");
        _exit(0);
    }
    wait(0);
    if (!vfork())
    {
        sh("vfork child");
        _exit(0);
    }
    s.ss_flags = 0;
    sigaltstack(&s, 0);
    printf("efault %s %s\n", outcome(syscall(SYS_sigaltstack, 1, 0)), outcome(syscall(SYS_sigaltstack, 0, 1)));
    fflush(stdout);
    for (int q = 0; q < 3; q++)
    {
        pid_t p = fork();
        if (!p)
        {
            struct rlimit r = {0, 0};
            setrlimit(RLIMIT_CORE, &r);
            if (q == 0)
            {
                s.ss_size = q == 0 ? 2048 : 8192;
                sigaltstack(&s, 0);
                handle(SIGUSR2, ov, SA_ONSTACK | SA_NODEFER);
                raise(SIGUSR2);
            }
            if (q == 1)
            {
                s.ss_size = 2048;
                s.ss_sp = (void *)0x10;
                sigaltstack(&s, 0);
                handle(SIGUSR2, ov, SA_ONSTACK);
                raise(SIGUSR2);
            }
            if (q == 2)
            {
                s.ss_size = 65536;
                sigaltstack(&s, 0);
                handle(SIGUSR2, ov, SA_ONSTACK | SA_NODEFER);
                raise(SIGUSR2);
            }
            _exit(7);
        }
        int st;
        waitpid(p, &st, 0);
        printf("q %d status %x deep\n", q, st & ~0x80);
    }
    return 0;
}
