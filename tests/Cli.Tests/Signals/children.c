// SIGCHLD: its contents, SA_NOCLDSTOP, SA_NOCLDWAIT, stops and continues.
#include "common.h"
static volatile int n;
static siginfo_t li[20];
static void h(int s, siginfo_t *i, void *u)
{
    if (n < 20)
        li[n] = *i;
    n++;
}
static void sh(pid_t p)
{
    for (int w = 0; !n && w < 20; w++)
        sleep_ms(1);
    for (int k = 0; k < n && k < 20; k++)
        printf("  chld code %d pidok %d status %d uid %d\n", li[k].si_code, li[k].si_pid == p, li[k].si_status, li[k].si_uid);
    n = 0;
}
int main()
{
    setvbuf(stdout, 0, _IONBF, 0);
    handle(SIGCHLD, h, SA_SIGINFO | SA_RESTART);
    pid_t p;
    int st;
    if (!(p = fork()))
        _exit(42);
    waitpid(p, &st, 0);
    sleep_ms(5);
    puts("exit");
    sh(p);
    if (!(p = fork()))
        for (;;)
            pause();
    kill(p, SIGSTOP);
    waitpid(p, &st, WUNTRACED);
    puts("stop");
    sh(p);
    kill(p, SIGCONT);
    waitpid(p, &st, WCONTINUED);
    puts("cont");
    sh(p);
    kill(p, SIGTERM);
    waitpid(p, &st, 0);
    sleep_ms(5);
    puts("term");
    sh(p);
    struct rlimit r = {0, 0};
    setrlimit(RLIMIT_CORE, &r);
    if (!(p = fork()))
        abort();
    waitpid(p, &st, 0);
    sleep_ms(5);
    puts("abort");
    sh(p);
    printf("core %d\n", WCOREDUMP(st));
    handle(SIGCHLD, h, SA_SIGINFO | SA_NOCLDSTOP | SA_RESTART);
    if (!(p = fork()))
        for (;;)
            pause();
    kill(p, SIGSTOP);
    waitpid(p, &st, WUNTRACED);
    printf("wuntraced %x\n", st);
    kill(p, SIGCONT);
    waitpid(p, &st, WCONTINUED);
    printf("wcont %x\n", st);
    puts("nocldstop");
    sh(p);
    siginfo_t si;
    memset(&si, 0, sizeof si);
    printf("waitid nohang %d pid %d\n", waitid(P_PID, p, &si, WEXITED | WNOHANG), si.si_pid);
    kill(p, 9);
    sleep_ms(10);
    waitid(P_PID, p, &si, WEXITED | WNOWAIT);
    printf("waitid code %d status %d sig %d\n", si.si_code, si.si_status, si.si_signo);
    waitpid(p, &st, 0);
    printf("%x\n", st);
    n = 0;
    handle(SIGCHLD, h, SA_SIGINFO | SA_NOCLDWAIT | SA_RESTART);
    if (!(p = fork()))
        _exit(1);
    errno = 0;
    printf("nocldwait %s\n", outcome(waitpid(p, &st, 0)));
    sleep_ms(5);
    sh(p);
    signal(SIGCHLD, SIG_IGN);
    if (!(p = fork()))
        _exit(1);
    errno = 0;
    printf("ignored %s\n", outcome(wait(&st)));
    sleep_ms(5);
    printf("n %d\n", n);
    signal(SIGCHLD, SIG_DFL);
    if (!(p = fork()))
        _exit(3);
    sleep_ms(20);
    printf("dfl %d %x\n", waitpid(p, &st, 0) == p, st);
    // merging
    handle(SIGCHLD, h, SA_SIGINFO | SA_RESTART);
    change_mask(SIG_BLOCK, SIGCHLD);
    n = 0;
    for (int i = 0; i < 4; i++)
        if (!(p = fork()))
            _exit(i);
        else
            waitid(P_PID, p, &si, WEXITED | WNOWAIT);
    change_mask(SIG_UNBLOCK, SIGCHLD);
    printf("merged %d\n", n);
    int w = 0;
    while (wait(0) > 0)
        w++;
    printf("waited %d\n", w);
    // exit signal other than SIGCHLD
    handle(SIGUSR1, h, SA_SIGINFO | SA_RESTART);
    n = 0;
    p = syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
    if (!p)
        _exit(9);
    while (!n)
        sleep_ms(1);
    printf("clone USR1 n %d sig %d code %d\n", n, li[0].si_signo, li[0].si_code);
    printf("wait %s clone %d\n", outcome(waitpid(p, &st, 0) > 0 ? 0 : -1), waitpid(p, &st, __WALL) == p);
    // stop stopped process twice, kill a stopped one
    n = 0;
    if (!(p = fork()))
        for (;;)
            pause();
    sleep_ms(10);
    kill(p, SIGSTOP);
    waitpid(p, &st, WUNTRACED);
    kill(p, SIGTERM);
    sleep_ms(20);
    printf("still %d\n", waitpid(p, &st, WNOHANG));
    kill(p, SIGCONT);
    waitpid(p, &st, 0);
    printf("%x\n", st);
    if (!(p = fork()))
    {
        change_mask(SIG_BLOCK, SIGCONT);
        for (;;)
            pause();
    }
    sleep_ms(10);
    kill(p, SIGSTOP);
    waitpid(p, &st, WUNTRACED);
    kill(p, SIGCONT);
    sleep_ms(10);
    printf("cont blocked: %d\n", waitpid(p, &st, WCONTINUED) == p);
    kill(p, 9);
    waitpid(p, &st, 0);
    // SIGTSTP default, SIGTSTP in orphaned: skip. pending STOP discards CONT
    if (!(p = fork()))
    {
        sigset_t f;
        sigfillset(&f);
        sigprocmask(SIG_SETMASK, &f, 0);
        raise(SIGTSTP);
        sigset_t q;
        sigpending(&q);
        print_set("p1", &q);
        raise(SIGCONT);
        sigpending(&q);
        print_set("p2", &q);
        raise(SIGTTIN);
        sigpending(&q);
        print_set("p3", &q);
        _exit(0);
    }
    waitpid(p, &st, 0);
    return 0;
}
