// signalfd: records, readiness by process, changed sets.
#include "common.h"
int main()
{
    setvbuf(stdout, 0, _IONBF, 0);
    sigset_t m;
    sigemptyset(&m);
    sigaddset(&m, 10);
    sigaddset(&m, 12);
    sigaddset(&m, 40);
    sigaddset(&m, SIGCHLD);
    sigaddset(&m, 9);
    sigprocmask(SIG_BLOCK, &m, 0);
    int f = signalfd(-1, &m, SFD_NONBLOCK | SFD_CLOEXEC);
    struct signalfd_siginfo s[8];
    printf("empty %s\n", outcome(read(f, s, sizeof s)));
    struct pollfd p = {f, POLLIN};
    printf("poll %d\n", poll(&p, 1, 0));
    raise(10);
    kill(getpid(), 12);
    union sigval v = {77};
    sigqueue(getpid(), 40, v);
    sigqueue(getpid(), 40, v);
    printf("poll %d\n", poll(&p, 1, 0));
    int r = read(f, s, sizeof s);
    printf("read %d\n", r / 128);
    for (int i = 0; i < r / 128; i++)
        printf("sig %d code %d pid %d int %d ptr %llx fd %d tid %d\n", s[i].ssi_signo, s[i].ssi_code, s[i].ssi_pid == getpid(),
            s[i].ssi_int, (long long)s[i].ssi_ptr & 0xff, s[i].ssi_fd, s[i].ssi_tid);
    printf("short %s\n", outcome(read(f, s, 100)));
    raise(10);
    printf("poll %d\n", poll(&p, 1, 0));
    struct timespec z = {0, 0};
    sigtimedwait(&m, 0, &z);
    printf("after sigwait poll %d read %s\n", poll(&p, 1, 0), outcome(read(f, s, 128)));
    raise(10);
    signal(10, SIG_IGN);
    printf("after ignore poll %d\n", poll(&p, 1, 0));
    signal(10, SIG_DFL);
    raise(10);
    sigset_t m2;
    sigemptyset(&m2);
    sigaddset(&m2, 12);
    printf("change %d\n", signalfd(f, &m2, 0) == f);
    printf("poll %d\n", poll(&p, 1, 0));
    signalfd(f, &m, 0);
    printf("poll %d\n", poll(&p, 1, 0));
    read(f, s, 128);
    if (!fork())
    {
        sleep_ms(10);
        _exit(5);
    }
    p.revents = 0;
    printf("chld poll %d\n", poll(&p, 1, 2000));
    r = read(f, s, sizeof s);
    wait(0);
    printf("chld sig %d code %d status %d\n", s[0].ssi_signo, s[0].ssi_code, s[0].ssi_status);
    // signal of a child process must not make ours readable
    int g[2], g2[2];
    pipe(g);
    pipe(g2);
    char b;
    pid_t c = fork();
    if (!c)
    {
        raise(10);
        write(g[1], "r", 1);
        read(g2[0], &b, 1);
        _exit(0);
    }
    read(g[0], &b, 1);
    printf("other's signal poll %d\n", poll(&p, 1, 0));
    int e = epoll_create1(0);
    struct epoll_event ev = {EPOLLIN};
    epoll_ctl(e, EPOLL_CTL_ADD, f, &ev);
    printf("ep %d\n", epoll_wait(e, &ev, 1, 0));
    write(g2[1], "g", 1);
    waitpid(c, 0, 0);
    printf("ep %d\n", epoll_wait(e, &ev, 1, 1000));
    read(f, s, sizeof s);
    printf("ep %d\n", epoll_wait(e, &ev, 1, 0));
    // unblocked: handler takes, not the fd
    printf("errors %s %s %s\n", outcome(signalfd(0, &m, 0)), outcome(signalfd(-1, &m, 1)), outcome(syscall(SYS_signalfd4, -1, &m, 4, 0)));
    // child inherits fd: reads its own
    raise(12);
    if (!fork())
    {
        printf("child read %s\n", outcome(read(f, s, 128)));
        raise(10);
        printf("child own %s\n", outcome(read(f, s, 128)));
        _exit(0);
    }
    wait(0);
    printf("parent has %s sig %d\n", outcome(read(f, s, 128)), s[0].ssi_signo);
    return 0;
}
