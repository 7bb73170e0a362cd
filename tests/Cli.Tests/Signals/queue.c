// Order and contents of queued signals, errors of sigqueue, RLIMIT_SIGPENDING.
#include "common.h"
static void show(siginfo_t *i)
{
    printf("sig %d code %d pidok %d uid %d val %d\n", i->si_signo, i->si_code, i->si_pid == getpid(), i->si_uid, i->si_value.sival_int);
}
static void h(int s, siginfo_t *i, void *u)
{
    show(i);
}
int main()
{
    sigset_t f;
    sigfillset(&f);
    sigdelset(&f, SIGSEGV);
    sigprocmask(SIG_SETMASK, &f, 0);
    union sigval v;
    for (int k = 0; k < 5; k++)
    {
        v.sival_int = k;
        sigqueue(getpid(), 40, v);
        v.sival_int = 10 + k;
        sigqueue(getpid(), 38, v);
        v.sival_int = 20 + k;
        sigqueue(getpid(), 10, v);
    }
    v.sival_int = 77;
    pthread_sigqueue(pthread_self(), 38, v);
    kill(getpid(), 38);
    tgkill(getpid(), gettid(), 40);
    kill(getpid(), 12);
    tgkill(getpid(), gettid(), 12);
    siginfo_t i;
    struct timespec z = {0, 0};
    for (;;)
    {
        memset(&i, 0, sizeof i);
        int r = sigtimedwait(&f, &i, &z);
        if (r < 0)
        {
            printf("end %s\n", outcome(r));
            break;
        }
        show(&i);
    }
    // same by handlers
    for (int s = 34; s < 65; s++)
        handle(s, h, SA_SIGINFO);
    for (int k = 0; k < 4; k++)
    {
        v.sival_int = k;
        sigqueue(getpid(), 50 - k, v);
        sigqueue(getpid(), 50, v);
    }
    sigset_t e;
    sigemptyset(&e);
    sigprocmask(SIG_SETMASK, &e, 0);
    // errors
    printf("%s\n", outcome(sigqueue(getpid(), 65, v)));
    printf("%s\n", outcome(sigqueue(getpid(), -1, v)));
    printf("%s\n", outcome(sigqueue(0, 0, v)));
    printf("%s\n", outcome(sigqueue(getpid(), 0, v)));
    memset(&i, 0, sizeof i);
    i.si_code = SI_USER;
    i.si_pid = 5;
    printf("self SI_USER %s\n", outcome(syscall(SYS_rt_sigqueueinfo, getpid(), 0, &i)));
    if (!fork())
    {
        i.si_code = SI_USER;
        printf("other SI_USER %s\n", outcome(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &i)));
        i.si_code = SI_TKILL;
        printf("other TKILL %s\n", outcome(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &i)));
        i.si_code = SI_QUEUE;
        printf("other QUEUE %s\n", outcome(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &i)));
        i.si_code = -77;
        printf("other -77 %s\n", outcome(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &i)));
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    struct rlimit l = {20, 20};
    setrlimit(RLIMIT_SIGPENDING, &l);
    change_mask(SIG_BLOCK, 45);
    int n = 0;
    while (sigqueue(getpid(), 45, v) == 0)
        n++;
    printf("queued<=20 %d err %s\n", n <= 20 && n > 0, strerrorname_np(errno));
    change_mask(SIG_BLOCK, SIGUSR1);
    change_mask(SIG_BLOCK, 46);
    printf("kill rt when full %s\n", outcome(kill(getpid(), 46)));
    printf("std when full %s\n", outcome(sigqueue(getpid(), SIGUSR1, v)));
    change_mask(SIG_BLOCK, 47);
    printf("kill47 %s\n", outcome(kill(getpid(), 47)));
    printf("kill47 %s\n", outcome(kill(getpid(), 47)));
    sigset_t p;
    sigpending(&p);
    print_set("pend", &p);
    sigemptyset(&p);
    sigaddset(&p, 47);
    memset(&i, 0, sizeof i);
    n = 0;
    while (sigtimedwait(&p, &i, &z) > 0)
    {
        n++;
        printf("47: code %d pid %d\n", i.si_code, i.si_pid);
    }
    printf("n47 %d\n", n);
    return 0;
}
