// Clocks of CPU time, getrusage, times, sleeping by them.
#include "common.h"
static volatile int stop;
static void *sp(void *a)
{
    volatile unsigned x = 0;
    while (!stop)
        x++;
    return 0;
}
static double cl(int c)
{
    struct timespec t;
    clock_gettime(c, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}
int main()
{
    setvbuf(stdout, 0, _IONBF, 0);
    volatile unsigned x = 0;
    while (cl(3) < 0.2)
        for (int i = 0; i < 1000; i++)
            x++;
    printf("process %d\n", cl(2) >= 0.2);
    struct rusage r, r2;
    getrusage(RUSAGE_SELF, &r);
    double u = r.ru_utime.tv_sec + r.ru_utime.tv_usec * 1e-6, s = r.ru_stime.tv_sec + r.ru_stime.tv_usec * 1e-6;
    printf("sum %d not all the kernel's %d maxrss %d\n", u + s >= .19, u > 0, r.ru_maxrss > 100);
    struct tms tm;
    clock_t c0 = times(&tm);
    printf("times %d\n", tm.tms_utime + tm.tms_stime >= 18);
    sleep_ms(100);
    printf("ticks %d\n", times(&tm) - c0 >= 9);
    pthread_t t;
    pthread_create(&t, 0, sp, 0);
    clockid_t cid;
    pthread_getcpuclockid(t, &cid);
    struct timespec tc;
    do
        clock_gettime(cid, &tc);
    while (tc.tv_nsec < 60000000);
    puts("other thread");
    struct timespec w = {0, 50000000};
    printf("cpu nanosleep %d\n", clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &w, 0));
    printf("thread nanosleep %d %d\n", clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &w, 0), clock_nanosleep(cid, 0, &w, 0));
    clock_gettime(cid, &tc);
    tc.tv_nsec += 20000000;
    if (tc.tv_nsec >= 1000000000)
        tc.tv_sec++, tc.tv_nsec -= 1000000000;
    printf("abs %d\n", clock_nanosleep(cid, TIMER_ABSTIME, &tc, 0));
    for (int i = -1; i < 13; i++)
    {
        w = (struct timespec){0, 1};
        printf("ns clock %d: %s\n", i, strerrorname_np(clock_nanosleep(i, 0, &w, 0)) ?: "ok");
    }
    w = (struct timespec){0, 1000000000};
    printf("bad %d\n", clock_nanosleep(1, 0, &w, 0));
    w = (struct timespec){-1, 0};
    printf("neg %d\n", clock_nanosleep(1, 0, &w, 0));
    w = (struct timespec){0, 5};
    printf("flag %d\n", clock_nanosleep(1, 8, &w, 0));
    for (int i = -1; i < 13; i++)
    {
        printf("res %d: ", i);
        if (clock_getres(i, &w))
            puts(strerrorname_np(errno));
        else
            printf("%ld %d\n", (long)w.tv_sec, (int)w.tv_nsec);
    }
    stop = 1;
    pthread_join(t, 0);
    if (!fork())
    {
        while (cl(2) < 0.1)
            x++;
        _exit(0);
    }
    struct rusage cr;
    int st;
    wait4(-1, &st, 0, &cr);
    printf("child wait4 %d\n", cr.ru_utime.tv_usec + cr.ru_stime.tv_usec > 90000);
    getrusage(RUSAGE_CHILDREN, &r);
    printf("children %d\n", r.ru_utime.tv_usec + r.ru_stime.tv_usec > 90000);
    times(&tm);
    printf("cut %d\n", tm.tms_cutime + tm.tms_cstime > 5);
    getrusage(RUSAGE_THREAD, &r2);
    printf("thread usage %d\n", r2.ru_utime.tv_usec + r2.ru_stime.tv_usec > 0);
    printf("bad who %s\n", outcome(getrusage(5, &r2)));
    clockid_t pc;
    clock_getcpuclockid(getpid(), &pc);
    printf("own clockid %d\n", clock_gettime(pc, &w));
    printf("bad clockid %s\n", outcome(clock_getcpuclockid(999999, &pc) ? (errno = ESRCH, -1) : 0));
    printf("gettime bad %s\n", outcome(clock_gettime(77, &w)));
    printf("settime %s\n", outcome(clock_settime(CLOCK_MONOTONIC, &w)));
    return 0;
}
