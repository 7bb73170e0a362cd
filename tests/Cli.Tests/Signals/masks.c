// The mask while a handler runs that sigsuspend, ppoll, pselect or epoll_pwait let in, and the mask in its frame.
#include "common.h"
static int depth;
static void h(int s, siginfo_t *i, void *u)
{
    sigset_t m;
    sigprocmask(0, 0, &m);
    printf("%*shandler %d ", depth * 2, "", s);
    print_set("mask", &m);
    print_set("   uc", &((ucontext_t *)u)->uc_sigmask);
}
int main()
{
    setvbuf(stdout, 0, _IONBF, 0);
    for (int s = 10; s < 16; s++)
        if (s != 11 && s != 13)
            handle(s, h, SA_SIGINFO);
    handle(SIGHUP, h, SA_SIGINFO);
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_sigaction = h;
    a.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaddset(&a.sa_mask, SIGINT);
    sigaction(SIGQUIT, &a, 0);
    sigset_t o, t;
    sigemptyset(&o);
    sigaddset(&o, 10);
    sigaddset(&o, 12);
    sigaddset(&o, SIGQUIT);
    sigaddset(&o, SIGHUP);
    sigprocmask(SIG_SETMASK, &o, 0);
    sigemptyset(&t);
    sigaddset(&t, 12);
    sigaddset(&t, 14);
    for (int k = 0; k < 7; k++)
    {
        raise(10);
        raise(12);
        raise(SIGQUIT);
        if (k & 1)
            raise(SIGHUP);
        long r = 0;
        errno = 0;
        struct timespec ts = {1, 0};
        struct pollfd pf;
        int ep = epoll_create1(0);
        struct epoll_event ev;
        printf("--- %d\n", k);
        switch (k)
        {
        case 0:
            r = sigsuspend(&t);
            break;
        case 1:
            r = ppoll(0, 0, &ts, &t);
            break;
        case 2:
            r = pselect(0, 0, 0, 0, &ts, &t);
            break;
        case 3:
            r = epoll_pwait(ep, &ev, 1, 1000, &t);
            break;
        case 4:
            r = epoll_pwait2(ep, &ev, 1, &ts, &t);
            break;
        case 5:
            r = ppoll(0, 0, 0, &t);
            break;
        case 6:
            r = sigsuspend(&t);
        }
        printf("r %s\n", outcome(r));
        sigset_t m;
        sigprocmask(0, 0, &m);
        print_set("after", &m);
        sigpending(&m);
        print_set("pending", &m);
        sigset_t e;
        sigemptyset(&e);
        sigprocmask(SIG_SETMASK, &e, 0);
        sigprocmask(SIG_SETMASK, &o, 0);
        close(ep);
    }
    return 0;
}
