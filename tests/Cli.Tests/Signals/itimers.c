// setitimer and alarm: resolution, blocked and ignored signals, CPU time, errors.
#include "common.h"
static volatile int fine, n, nv, np;
static siginfo_t last;
static void h(int s, siginfo_t *i, void *u)
{
    if (s == SIGALRM)
    {
        static long long before;
        long long t = now();
        if (before && t - before < 900000)
            fine = 1;
        before = t;
        n++;
    }
    if (s == SIGVTALRM)
        nv++;
    if (s == SIGPROF)
        np++;
    last = *i;
}
static struct itimerval iv(long us, long in)
{
    return (struct itimerval){{in / 1000000, in % 1000000}, {us / 1000000, us % 1000000}};
}
int main()
{
    setvbuf(stdout, 0, _IONBF, 0);
    handle(SIGALRM, h, SA_SIGINFO);
    handle(SIGVTALRM, h, SA_SIGINFO);
    handle(SIGPROF, h, SA_SIGINFO);
    struct itimerval v, o;
    v = iv(100, 100);
    setitimer(ITIMER_REAL, &v, 0);
    long long t0 = now();
    while (!fine && now() - t0 < 20000000000ll)
        ;
    v = iv(0, 100);
    setitimer(ITIMER_REAL, &v, &o);
    printf("finer than a millisecond %d old int %ld\n", fine, (long)o.it_interval.tv_usec);
    getitimer(0, &o);
    printf("stopped %ld %ld\n", (long)o.it_value.tv_usec, (long)o.it_interval.tv_usec);
    printf("code %d pid %d uid %d\n", last.si_code, last.si_pid, last.si_uid);
    change_mask(SIG_BLOCK, SIGALRM);
    n = 0;
    v = iv(10000, 10000);
    setitimer(0, &v, 0);
    sleep_ms(55);
    getitimer(0, &o);
    printf("blocked: val %ld int %ld\n", (long)o.it_value.tv_usec, (long)o.it_interval.tv_usec);
    change_mask(SIG_UNBLOCK, SIGALRM);
    getitimer(0, &o);
    printf("restarted %d\n", n > 0 && o.it_value.tv_usec > 0 && o.it_value.tv_usec <= 10000);
    for (int w = 0; n < 4 && w < 2000; w++)
        sleep_ms(1);
    printf("goes on %d\n", n > 2);
    signal(SIGALRM, SIG_IGN);
    sleep_ms(30);
    getitimer(0, &o);
    printf("ignored val %ld int %ld\n", (long)o.it_value.tv_usec, (long)o.it_interval.tv_usec);
    handle(SIGALRM, h, SA_SIGINFO);
    n = 0;
    sleep_ms(40);
    printf("after ignore n %d\n", n);
    raise(SIGALRM);
    sleep_ms(35);
    printf("after raise n>2 %d\n", n > 2);
    v = iv(0, 0);
    setitimer(0, &v, 0);
    v = iv(20000, 20000);
    setitimer(ITIMER_VIRTUAL, &v, 0);
    setitimer(ITIMER_PROF, &v, 0);
    t0 = now();
    volatile unsigned x = 0;
    struct timespec c;
    do
    {
        for (int i = 0; i < 1000; i++)
            x++;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &c);
    } while ((nv < 5 || np < 5) && now() - t0 < 20000000000ll);
    printf("virtual %d prof %d\n", nv >= 5, np >= 5);
    v = iv(0, 777);
    setitimer(ITIMER_PROF, &v, 0);
    setitimer(ITIMER_VIRTUAL, &v, 0);
    getitimer(ITIMER_PROF, &o);
    printf("prof stopped %ld %ld\n", (long)o.it_value.tv_usec, (long)o.it_interval.tv_usec);
    np = nv = 0;
    sleep_ms(50);
    printf("stopped %d %d\n", nv, np);
    v = iv(0, 0);
    v.it_value.tv_usec = 1000000;
    printf("usec %s\n", outcome(setitimer(0, &v, 0)));
    v.it_value.tv_usec = -1;
    printf("neg %s\n", outcome(setitimer(0, &v, 0)));
    v = iv(0, 0);
    v.it_value.tv_sec = -1;
    printf("negsec %s\n", outcome(setitimer(0, &v, 0)));
    printf("which %s %s\n", outcome(setitimer(3, &v, 0)), outcome(getitimer(3, &o)));
    alarm(100);
    printf("alarm %u %u\n", alarm(5), alarm(0));
    v = iv(400000, 0);
    setitimer(0, &v, 0);
    printf("alarm of .4 %u\n", alarm(0));
    v = iv(1400000, 0);
    setitimer(0, &v, 0);
    printf("alarm of 1.4 %u\n", alarm(0));
    v = iv(1600000, 0);
    setitimer(0, &v, 0);
    printf("alarm of 1.6 %u\n", alarm(0));
    v = iv(0, 0);
    v.it_value.tv_sec = 0x7fffffff;
    printf("large %s\n", outcome(setitimer(0, &v, 0)));
    getitimer(0, &o);
    printf("large left %d\n", o.it_value.tv_sec > 0x7ffffff0);
    n = 0;
    v = iv(50000, 0);
    setitimer(0, &v, 0);
    if (!fork())
    {
        getitimer(0, &o);
        printf("child val %ld\n", (long)o.it_value.tv_usec);
        _exit(0);
    }
    while (wait(0) == -1)
        ;
    while (!n)
        sleep_ms(1);
    printf("parent n %d\n", n);
    alarm(50);
    return 0;
}
