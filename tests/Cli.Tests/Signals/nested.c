// Several signals at once, SA_NODEFER, SA_RESETHAND, a signal from a handler: order and masks.
#include "common.h"
static int d;
static void h(int s, siginfo_t *i, void *u)
{
    d++;
    sigset_t m;
    sigprocmask(0, 0, &m);
    printf("%*s> %d", d * 2, "", s);
    print_set(" mask", &m);
    print_set("    uc", &((ucontext_t *)u)->uc_sigmask);
    printf("%*s< %d\n", d * 2, "", s);
    d--;
}
static int left;
static void hr(int s)
{
    printf("resethand %d\n", s);
    struct sigaction a;
    sigaction(s, 0, &a);
    printf("now %d flags %x\n", a.sa_handler == SIG_DFL, a.sa_flags & 0xf7ffffff & ~0x4000000);
}
static void hn(int s)
{
    printf("nodefer in %d\n", left);
    if (left-- > 0)
        raise(s);
    printf("nodefer out\n");
}
static void hq(int s, siginfo_t *i, void *u)
{
    printf("first pass %d\n", s);
    raise(SIGUSR2);
    printf("after raise\n");
}
int main()
{
    setvbuf(stdout, 0, _IONBF, 0);
    for (int s = 1; s < 65; s++)
        if (s != 9 && s != 19 && s != 32 && s != 33)
            handle(s, h, SA_SIGINFO);
    sigset_t f, e;
    sigfillset(&f);
    sigemptyset(&e);
    sigprocmask(SIG_SETMASK, &f, 0);
    int l[] = {64, 15, 11, 10, 36, 34, 5, 2, 17, 28, 36, 34, 10};
    for (int i = 0; i < 13; i++)
        raise(l[i]);
    kill(getpid(), 12);
    kill(getpid(), 34);
    kill(getpid(), 1);
    sigset_t p;
    sigpending(&p);
    print_set("pending", &p);
    sigprocmask(SIG_SETMASK, &e, 0);
    puts("---");
    handle(SIGUSR1, hr, SA_RESETHAND);
    raise(SIGUSR1);
    handle(SIGUSR1, hn, SA_NODEFER);
    left = 3;
    raise(SIGUSR1);
    handle(SIGUSR1, hr, SA_RESETHAND | SA_SIGINFO | SA_NODEFER);
    raise(SIGUSR1);
    handle(SIGUSR1, hq, SA_SIGINFO);
    handle(SIGUSR2, hq + 0, SA_SIGINFO);
    handle(SIGUSR2, h, SA_SIGINFO);
    raise(SIGUSR1);
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_sigaction = hq;
    a.sa_flags = SA_SIGINFO;
    sigaddset(&a.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &a, 0);
    raise(SIGUSR1);
    // handler changes mask in frame
    puts("end");
    return 0;
}
