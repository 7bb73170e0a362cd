// What fork, a new thread and execve keep of masks, pending signals, actions, stacks and timers.
#include "common.h"
extern char **environ;
static void h(int s)
{
}
int main(int c, char **v)
{
    setvbuf(stdout, 0, _IONBF, 0);
    sigset_t m, p;
    struct sigaction a;
    if (c > 1)
    {
        sigprocmask(0, 0, &m);
        print_set("exec mask", &m);
        sigpending(&p);
        print_set("exec pending", &p);
        for (int s = 1; s < 65; s++)
        {
            if (s == 32 || s == 33)
                continue;
            sigaction(s, 0, &a);
            if (a.sa_handler != SIG_DFL || a.sa_flags & ~0x4000000)
                printf("%d: %s flags %x\n", s, a.sa_handler == SIG_IGN ? "ign" : "handler", a.sa_flags);
        }
        stack_t st;
        sigaltstack(0, &st);
        printf("alt %x %d\n", st.ss_flags, (int)st.ss_size);
        struct itimerval iv;
        getitimer(0, &iv);
        printf("itimer kept %d\n", iv.it_value.tv_sec > 0);
        struct itimerspec is;
        printf("timer %s\n", outcome(syscall(SYS_timer_gettime, 0, &is)));
        return 0;
    }
    for (int s = 1; s < 65; s++)
        signal(s, SIG_DFL);
    handle(10, h, SA_RESTART | SA_NODEFER);
    handle(12, SIG_IGN, SA_RESTART);
    handle(SIGCHLD, SIG_IGN, 0);
    handle(40, h, SA_SIGINFO);
    sigemptyset(&m);
    sigaddset(&m, 10);
    sigaddset(&m, 15);
    sigaddset(&m, 40);
    sigprocmask(SIG_SETMASK, &m, 0);
    raise(10);
    raise(15);
    union sigval u = {1};
    sigqueue(getpid(), 40, u);
    sigqueue(getpid(), 40, u);
    sigpending(&p);
    print_set("before", &p);
    static char al[8192];
    stack_t st = {.ss_sp = al, .ss_size = 8192};
    sigaltstack(&st, 0);
    alarm(100);
    timer_t t;
    timer_create(CLOCK_MONOTONIC, 0, &t);
    if (!fork())
    {
        sigpending(&p);
        print_set("child pending", &p);
        sigprocmask(0, 0, &m);
        print_set("child mask", &m);
        printf("child alarm %d\n", alarm(0));
        _exit(0);
    }
    wait(0);
    pthread_t x;
    void *thr(void *q)
    {
        sigset_t z;
        sigpending(&z);
        print_set("thread pending", &z);
        pthread_sigmask(0, 0, &z);
        print_set("thread mask", &z);
        stack_t s2;
        sigaltstack(0, &s2);
        printf("thread alt %x\n", s2.ss_flags);
        return 0;
    }
    pthread_create(&x, 0, thr, 0);
    pthread_join(x, 0);
    char *av[] = {v[0], "x", 0};
    execve("/proc/self/exe", av, environ);
    perror("exec");
    return 1;
}
