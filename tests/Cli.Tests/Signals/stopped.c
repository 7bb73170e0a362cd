// SIGSTOP and SIGCONT without a handler: which calls go on, and how long they last.
#include "common.h"
static pid_t kid;
static int run(const char *n, long (*f)(void))
{
    int p[2];
    pipe(p);
    kid = fork();
    if (!kid)
    {
        write(p[1], "r", 1);
        long long t = now();
        errno = 0;
        long r = f();
        int e = errno;
        long el = (now() - t) / 1000000;
        errno = e;
        printf("%-18s %s %s\n", n, outcome(r), r < 0 && e == EINTR ? "" : el < 400 ? "early" : "all its time");
        fflush(stdout);
        _exit(0);
    }
    char c;
    read(p[0], &c, 1);
    sleep_ms(150);
    kill(kid, SIGSTOP);
    int st;
    waitpid(kid, &st, WUNTRACED);
    sleep_ms(100);
    kill(kid, SIGCONT);
    waitpid(kid, &st, 0);
    return 0;
}
static long a(void)
{
    struct timespec t = {0, 400000000};
    return nanosleep(&t, &t);
}
static long a2(void)
{
    struct timespec t = {0, 400000000};
    return clock_nanosleep(CLOCK_REALTIME, 0, &t, &t);
}
static long a3(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += 400000000;
    if (t.tv_nsec >= 1000000000)
        t.tv_nsec -= 1000000000, t.tv_sec++;
    return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0);
}
static long b(void)
{
    return poll(0, 0, 400);
}
static long b2(void)
{
    struct timespec t = {0, 400000000};
    return ppoll(0, 0, &t, 0);
}
static long c(void)
{
    struct timeval t = {0, 400000};
    return select(0, 0, 0, 0, &t);
}
static long c2(void)
{
    struct timespec t = {0, 400000000};
    return pselect(0, 0, 0, 0, &t, 0);
}
static long d(void)
{
    int e = epoll_create1(0);
    struct epoll_event v;
    return epoll_wait(e, &v, 1, 400);
}
static int fu;
static long e(void)
{
    struct timespec t = {0, 400000000};
    return syscall(SYS_futex, &fu, FUTEX_WAIT, 0, &t);
}
static long e2(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += 400000000;
    if (t.tv_nsec >= 1000000000)
        t.tv_nsec -= 1000000000, t.tv_sec++;
    return syscall(SYS_futex, &fu, FUTEX_WAIT_BITSET, 0, &t, 0, -1);
}
static long g(void)
{
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    sigprocmask(SIG_BLOCK, &s, 0);
    struct timespec t = {0, 400000000};
    return sigtimedwait(&s, 0, &t);
}
static long k(void)
{
    int s[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    struct timeval t = {0, 400000};
    setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    char b;
    return recv(s[0], &b, 1, 0);
}
static long m(void)
{
    struct timespec t = {0, 400000000};
    t.tv_sec = 0;
    struct timespec *ro = mmap(0, 4096, 3, 34, -1, 0);
    *ro = t;
    mprotect(ro, 4096, 1);
    return syscall(SYS_ppoll, 0, 0, ro, 0, 8);
}
int main()
{
    setvbuf(stdout, 0, _IONBF, 0);
    run("nanosleep", a);
    run("clock_ns real", a2);
    run("clock_ns abs", a3);
    run("poll", b);
    run("ppoll", b2);
    run("select", c);
    run("pselect", c2);
    run("epoll_wait", d);
    run("futex", e);
    run("futex bitset", e2);
    run("sigtimedwait", g);
    run("recv timeo", k);
    run("ppoll readonly", m);
    return 0;
}
