// What the programs of this folder share. Each prints the same whenever it runs natively: no addresses, numbers of processes or times.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <linux/futex.h>
#include <netinet/in.h>

static inline long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static inline void sleep_ms(int n)
{
    struct timespec t = {n / 1000, n % 1000 * 1000000l};
    while (nanosleep(&t, &t) && errno == EINTR)
        ;
}

static inline void handle(int signal, void *handler, int flags)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_sigaction = handler;
    a.sa_flags = flags;
    sigaction(signal, &a, 0);
}

static inline void change_mask(int how, int signal)
{
    sigset_t m;
    sigemptyset(&m);
    if (signal)
        sigaddset(&m, signal);
    sigprocmask(how, &m, 0);
}

// A result, or the name of the error.
static inline const char *outcome(long r)
{
    static char text[8][40];
    static int next;
    char *p = text[next++ & 7];
    if (r >= 0)
        sprintf(p, "%ld", r);
    else
        sprintf(p, "-%s", strerrorname_np(errno));
    return p;
}

static inline void print_set(const char *what, sigset_t *m)
{
    printf("%s:", what);
    for (int i = 1; i < 65; i++)
        if (sigismember(m, i) == 1)
            printf(" %d", i);
    puts("");
}

// kill(2) without libc, which would use vector registers.
static inline void kill_self(int signal)
{
#ifdef __x86_64__
    long r;
    asm volatile("syscall" : "=a"(r) : "a"(62), "D"(getpid()), "S"(signal) : "rcx", "r11", "memory");
#else
    asm volatile("int $0x80" ::"a"(37), "b"(getpid()), "c"(signal) : "memory");
#endif
}
