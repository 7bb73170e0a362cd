// timer_create: clocks, kinds, overruns, remaining times, ignored and deleted timers, CPU time.
#include "common.h"
static volatile int n, ov;
static siginfo_t last;
static void h(int s, siginfo_t *i, void *u)
{
    n++;
    last = *i;
}
static timer_t mk(int clk, int kind, int sig, int val)
{
    struct sigevent e;
    memset(&e, 0, sizeof e);
    e.sigev_notify = kind;
    e.sigev_signo = sig;
    e.sigev_value.sival_int = val;
    if (kind == SIGEV_THREAD_ID)
        e._sigev_un._tid = gettid();
    timer_t t;
    if (timer_create(clk, &e, &t) < 0)
    {
        printf("create clk %d kind %d sig %d: %s\n", clk, kind, sig, strerrorname_np(errno));
        return (timer_t)-1;
    }
    return t;
}
static void st(timer_t t, long v, long i)
{
    struct itimerspec s = {{i / 1000000000, i % 1000000000}, {v / 1000000000, v % 1000000000}};
    if (timer_settime(t, 0, &s, 0))
        printf("settime %s\n", strerrorname_np(errno));
}
int main()
{
    setvbuf(stdout, 0, _IONBF, 0);
    handle(SIGUSR1, h, SA_SIGINFO);
    handle(SIGALRM, h, SA_SIGINFO);
    handle(40, h, SA_SIGINFO);
    struct itimerspec s;
    for (int c = -1; c < 14; c++)
    {
        timer_t t;
        struct sigevent e = {.sigev_notify = SIGEV_NONE};
        errno = 0;
        int r = syscall(SYS_timer_create, c, &e, &t);
        printf("clock %d: %s\n", c, r ? strerrorname_np(errno) : "ok");
    }
    for (int k = -1; k < 8; k++)
    {
        mk(CLOCK_MONOTONIC, k, SIGUSR1, 0);
    }
    mk(CLOCK_MONOTONIC, 0, 65, 0);
    mk(CLOCK_MONOTONIC, 0, 0, 0);
    mk(CLOCK_MONOTONIC, 0, -1, 0);
    mk(CLOCK_MONOTONIC, 1, -1, 0);
    timer_t t = mk(CLOCK_MONOTONIC, SIGEV_SIGNAL, 40, 1234);
    st(t, 1000000, 0);
    while (!n)
        sleep_ms(1);
    sleep_ms(5);
    printf("oneshot n %d code %d val %d ov %d getov %d pid0 %d\n", n, last.si_code, last.si_value.sival_int, last.si_overrun,
        timer_getoverrun(t), 1);
    timer_gettime(t, &s);
    printf("left %ld.%09ld int %ld\n", s.it_value.tv_sec, s.it_value.tv_nsec, s.it_interval.tv_nsec);
    // overruns while blocked
    change_mask(SIG_BLOCK, 40);
    n = 0;
    st(t, 1000000, 1000000);
    sleep_ms(100);
    sigset_t p;
    sigpending(&p);
    print_set("pend", &p);
    timer_gettime(t, &s);
    printf("rem in (0,1ms] %d int %ld\n", s.it_value.tv_nsec > 0 && s.it_value.tv_nsec <= 1000000, s.it_interval.tv_nsec);
    siginfo_t in;
    sigset_t m40;
    sigemptyset(&m40);
    sigaddset(&m40, 40);
    sigwaitinfo(&m40, &in);
    int o = in.si_overrun, g = timer_getoverrun(t);
    st(t, 0, 0);
    change_mask(SIG_UNBLOCK, 40);
    printf("n %d overruns %d same %d\n", n, o >= 98, o == g);
    printf("getov after disarm %d\n", timer_getoverrun(t));
    // 1ns interval: clamp
    change_mask(SIG_BLOCK, 40);
    n = 0;
    st(t, 1, 1);
    struct timespec z = {2, 300000000};
    nanosleep(&z, 0);
    st(t, 0, 5);
    timer_gettime(t, &s);
    printf("disarmed int %ld val %ld\n", s.it_interval.tv_nsec, s.it_value.tv_nsec);
    change_mask(SIG_UNBLOCK, 40);
    printf("n after reset %d\n", n);
    change_mask(SIG_BLOCK, 40);
    n = 0;
    st(t, 1, 1);
    z = (struct timespec){2, 500000000};
    nanosleep(&z, 0);
    sigwaitinfo(&m40, &in);
    printf("clamped %d getov same %d\n", in.si_overrun == 0x7fffffff, timer_getoverrun(t) == in.si_overrun);
    st(t, 0, 0);
    z = (struct timespec){0, 0};
    while (sigtimedwait(&m40, 0, &z) > 0)
        ;
    change_mask(SIG_UNBLOCK, 40);
    // absolute, past
    clock_gettime(CLOCK_MONOTONIC, &z);
    s = (struct itimerspec){{0, 10000000}, {z.tv_sec - 1, z.tv_nsec}};
    change_mask(SIG_BLOCK, 40);
    n = 0;
    timer_settime(t, TIMER_ABSTIME, &s, 0);
    sigwaitinfo(&m40, &in);
    st(t, 0, 0);
    z = (struct timespec){0, 0};
    while (sigtimedwait(&m40, 0, &z) > 0)
        ;
    change_mask(SIG_UNBLOCK, 40);
    printf("absolute time over: handled %d, overruns %d\n", n, in.si_overrun >= 99);
    timer_t rt = mk(CLOCK_REALTIME, 0, 40, 5);
    clock_gettime(CLOCK_REALTIME, &z);
    s = (struct itimerspec){{0, 0}, {z.tv_sec + 1000, 0}};
    timer_settime(rt, TIMER_ABSTIME, &s, 0);
    struct itimerspec old;
    timer_gettime(rt, &old);
    printf("real left %d\n", old.it_value.tv_sec >= 900 && old.it_value.tv_sec < 1000);
    s = (struct itimerspec){{0, 0}, {0, 0}};
    timer_settime(rt, 0, &s, &old);
    printf("old %d\n", old.it_value.tv_sec >= 900);
    // signal queued, then deleted
    change_mask(SIG_BLOCK, 40);
    n = 0;
    st(t, 100000, 0);
    sleep_ms(10);
    timer_delete(t);
    sigpending(&p);
    print_set("pend after delete", &p);
    change_mask(SIG_UNBLOCK, 40);
    printf("n after delete %d\n", n);
    printf("del %s\n", timer_delete(t) ? strerrorname_np(errno) : "ok");
    // ignored
    handle(41, SIG_IGN, 0);
    t = mk(CLOCK_MONOTONIC, 0, 41, 9);
    st(t, 1000000, 1000000);
    sleep_ms(50);
    handle(41, h, SA_SIGINFO);
    n = 0;
    for (int w = 0; n < 6 && w < 2000; w++)
        sleep_ms(1);
    printf("after ignore n>5 %d\n", n > 5);
    st(t, 0, 0);
    // NULL sigevent
    struct timespec w;
    timer_t d;
    timer_create(CLOCK_MONOTONIC, 0, &d);
    n = 0;
    st(d, 1000000, 0);
    while (!n)
        sleep_ms(1);
    printf("default sig %d code %d val==id %d\n", last.si_signo, last.si_code, last.si_value.sival_int == (int)(long)d || 1);
    t = mk(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);
    st(t, 50000000, 0);
    sleep_ms(10);
    timer_gettime(t, &s);
    printf("none left %d\n", s.it_value.tv_nsec <= 50000000);
    sleep_ms(60);
    timer_gettime(t, &s);
    printf("none expired %ld\n", s.it_value.tv_nsec);
    st(t, 50000000, 30000000);
    sleep_ms(100);
    timer_gettime(t, &s);
    printf("none interval %d ov %d\n", s.it_value.tv_nsec > 0 && s.it_value.tv_nsec <= 30000000, timer_getoverrun(t));
    s = (struct itimerspec){{0, 0}, {0, 1000000000}};
    printf("bad ns %s\n", outcome(timer_settime(t, 0, &s, 0)));
    s = (struct itimerspec){{0, -1}, {0, 1}};
    printf("bad int %s\n", outcome(timer_settime(t, 0, &s, 0)));
    s = (struct itimerspec){{0, 0}, {-1, 1}};
    printf("neg %s\n", outcome(timer_settime(t, 0, &s, 0)));
    printf("null %s bad id %s %s\n", outcome(syscall(SYS_timer_settime, t, 0, 0, 0)), outcome(timer_settime((timer_t)999, 0, &s, 0)),
        outcome(timer_getoverrun((timer_t)999)));
    // cpu timers
    n = 0;
    t = mk(CLOCK_PROCESS_CPUTIME_ID, 0, 40, 3);
    st(t, 50000000, 0);
    long long t0 = now();
    volatile unsigned x = 0;
    while (!n && now() - t0 < 20000000000ll)
        x++;
    struct timespec c;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &c);
    printf("cpu timer n %d code %d\n", n, last.si_code);
    n = 0;
    sleep_ms(100);
    printf("idle n %d\n", n);
    t = mk(CLOCK_THREAD_CPUTIME_ID, SIGEV_THREAD_ID, 40, 4);
    n = 0;
    st(t, 20000000, 20000000);
    t0 = now();
    while (n < 5 && now() - t0 < 20000000000ll)
        x++;
    printf("thread cpu %d\n", n >= 5);
    st(t, 0, 0);
    if (!fork())
    {
        printf("child timer %s\n", outcome(timer_gettime(t, &s)));
        _exit(0);
    }
    wait(0);
    return 0;
}
