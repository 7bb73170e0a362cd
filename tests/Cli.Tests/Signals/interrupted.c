// Each call that blocks, interrupted by a handler (with SA_RESTART when there is an argument) until it returns; after some signals it may
// end.
#include "common.h"
static volatile int got;
static void h(int s)
{
    got++;
}
static pthread_t main_t;
static int pip[2], sv[2], fifo_done, efd, tfd;
static void (*finish)(void);
static int gate[2];
static volatile int returned;
static int done_[2];
static int most = 200;
static void *helper(void *a)
{
    char c;
    for (;;)
    {
        if (read(gate[0], &c, 1) != 1)
            return 0;
        for (int i = 0; i < most && !returned; i++)
        {
            sleep_ms(15);
            if (!returned)
                pthread_kill(main_t, SIGUSR1);
        }
        sleep_ms(20);
        if (finish && !returned)
            finish();
        write(done_[1], "d", 1);
    }
}
static void wpip(void)
{
    write(pip[1], "x", 1);
}
static void wsv(void)
{
    write(sv[1], "x", 1);
}
static void drain(void)
{
    char b[65536];
    fcntl(pip[0], F_SETFL, O_NONBLOCK);
    while (read(pip[0], b, 65536) > 0)
        ;
    fcntl(pip[0], F_SETFL, 0);
}
static void drainsv(void)
{
    char b[65536];
    while (recv(sv[1], b, 65536, MSG_DONTWAIT) > 0)
        ;
}
static void wefd(void)
{
    uint64_t v = 1;
    write(efd, &v, 8);
}
static int fut;
static void wfut(void)
{
    fut = 1;
    syscall(SYS_futex, &fut, FUTEX_WAKE, 10);
}
static int lsock;
static struct sockaddr_in la;
static void conn(void)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    connect(s, (void *)&la, sizeof la);
}
static int lfd;
static void unl(void)
{
    flock(lfd, LOCK_UN);
    struct flock f = {F_UNLCK};
    fcntl(lfd, F_OFD_SETLK, &f);
}
static pid_t kid;
static void endkid(void)
{
    kill(kid, SIGKILL);
}

static void usr2(void)
{
    pthread_kill(main_t, SIGUSR2);
}
static void opn(void)
{
    int f = open("interrupted.fifo", O_WRONLY | O_NONBLOCK);
    if (f >= 0)
    {
        write(f, "q", 1);
        close(f);
    }
}
static fd_set *fset(fd_set *f, int d)
{
    FD_ZERO(f);
    FD_SET(d, f);
    return f;
}
static char big[1 << 20];
#define T(name, fin, ...)                                                                                                                  \
    do                                                                                                                                     \
    {                                                                                                                                      \
        char d_;                                                                                                                           \
        got = 0;                                                                                                                           \
        returned = 0;                                                                                                                      \
        finish = fin;                                                                                                                      \
        errno = 0;                                                                                                                         \
        write(gate[1], "g", 1);                                                                                                            \
        long r = (__VA_ARGS__);                                                                                                            \
        int e = errno;                                                                                                                     \
        returned = 1;                                                                                                                      \
        while (read(done_[0], &d_, 1) != 1)                                                                                                \
            ;                                                                                                                              \
        errno = e;                                                                                                                         \
        printf("%-22s %s handled %d\n", name, outcome(r), got > 0);                                                                        \
    } while (0)
int main(int c, char **v)
{
    setvbuf(stdout, 0, _IONBF, 0);
    int fl = c > 1 ? SA_RESTART : 0;
    if (fl)
        most = 15;
    handle(SIGUSR1, h, fl);
    main_t = pthread_self();
    pipe(gate);
    pipe(done_);
    pthread_t t;
    sigset_t m;
    change_mask(SIG_BLOCK, SIGUSR2);
    pthread_create(&t, 0, helper, 0);
    char b[100];
    pipe(pip);
    socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
    struct timespec ts, rem;
    struct timeval tv = {0, 300000};
    struct iovec iv = {b, 1}, ivb = {big, sizeof big};
    T("read pipe", wpip, read(pip[0], b, 1));
    T("readv pipe", wpip, readv(pip[0], &iv, 1));
    fcntl(pip[1], F_SETFL, O_NONBLOCK);
    while (write(pip[1], big, 4096) > 0)
        ;
    fcntl(pip[1], F_SETFL, 0);
    T("write pipe full", drain, write(pip[1], b, 1));
    drain();
    T("read sock", wsv, read(sv[0], b, 1));
    T("recv", wsv, recv(sv[0], b, 1, 0));
    struct msghdr mh = {0};
    mh.msg_iov = &iv;
    mh.msg_iovlen = 1;
    T("recvmsg", wsv, recvmsg(sv[0], &mh, 0));
    struct mmsghdr mm = {mh};
    T("recvmmsg", wsv, recvmmsg(sv[0], &mm, 1, 0, 0));
    setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    T("read sock timeo", wsv, read(sv[0], b, 1));
    recv(sv[0], b, 1, MSG_DONTWAIT);
    T("recv timeo", wsv, recv(sv[0], b, 1, 0));
    recv(sv[0], b, 1, MSG_DONTWAIT);
    T("recvmsg timeo", wsv, recvmsg(sv[0], &mh, 0));
    recv(sv[0], b, 1, MSG_DONTWAIT);
    T("readv timeo", wsv, readv(sv[0], &iv, 1));
    recv(sv[0], b, 1, MSG_DONTWAIT);
    T("recvmmsg timeo", wsv, recvmmsg(sv[0], &mm, 1, 0, 0));
    recv(sv[0], b, 1, MSG_DONTWAIT);
    while (send(sv[0], big, 4096, MSG_DONTWAIT) > 0)
        ;
    T("send full", drainsv, send(sv[0], b, 1, 0));
    drainsv();
    while (send(sv[0], big, 4096, MSG_DONTWAIT) > 0)
        ;
    tv.tv_sec = 1;
    setsockopt(sv[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
    T("send full timeo", drainsv, send(sv[0], b, 1, 0));
    drainsv();
    while (send(sv[0], big, 4096, MSG_DONTWAIT) > 0)
        ;
    T("write full timeo", drainsv, write(sv[0], b, 1));
    drainsv();
    while (send(sv[0], big, 4096, MSG_DONTWAIT) > 0)
        ;
    T("sendmsg full timeo", drainsv, sendmsg(sv[0], &mh, 0));
    drainsv();
    lsock = socket(AF_INET, SOCK_STREAM, 0);
    la.sin_family = AF_INET;
    la.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(lsock, (void *)&la, sizeof la);
    socklen_t sl = sizeof la;
    getsockname(lsock, (void *)&la, &sl);
    listen(lsock, 5);
    T("accept", conn, accept(lsock, 0, 0) >= 0 ? 0 : -1);
    setsockopt(lsock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    T("accept timeo", conn, accept(lsock, 0, 0) >= 0 ? 0 : -1);
    struct pollfd pf = {pip[0], POLLIN};
    fd_set fs;
    T("poll 200", 0, poll(&pf, 1, 200));
    T("poll inf", wpip, poll(&pf, 1, -1));
    drain();
    ts = (struct timespec){0, 200000000};
    T("ppoll", 0, ppoll(&pf, 1, &ts, 0));
    T("ppoll inf", wpip, ppoll(&pf, 1, 0, 0));
    drain();
    tv = (struct timeval){0, 200000};
    T("select", 0, select(pip[0] + 1, fset(&fs, pip[0]), 0, 0, &tv));
    printf("  left %d\n", tv.tv_usec < 200000);
    T("select inf", wpip, select(pip[0] + 1, fset(&fs, pip[0]), 0, 0, 0));
    drain();
    ts = (struct timespec){0, 200000000};
    T("pselect", 0, pselect(pip[0] + 1, fset(&fs, pip[0]), 0, 0, &ts, 0));
    int ep = epoll_create1(0);
    struct epoll_event ev = {EPOLLIN};
    epoll_ctl(ep, EPOLL_CTL_ADD, pip[0], &ev);
    T("epoll_wait", 0, epoll_wait(ep, &ev, 1, 200));
    T("epoll_wait inf", wpip, epoll_wait(ep, &ev, 1, -1));
    drain();
    T("epoll_pwait", 0, epoll_pwait(ep, &ev, 1, 200, 0));
    ts = (struct timespec){0, 200000000};
    rem = ts;
    T("nanosleep", 0, nanosleep(&ts, &rem));
    printf("  rem %d\n", rem.tv_nsec < 200000000);
    T("clock_nanosleep", 0, clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &rem) ? -1 : 0);
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec++;
    ts.tv_nsec = 0;
    rem.tv_nsec = 7;
    T("clock_nanosleep abs", 0, ({
        int r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, &rem);
        errno = r;
        r ? -1 : 0;
    }));
    printf("  rem %ld\n", rem.tv_nsec);
    fut = 0;
    T("futex", wfut, syscall(SYS_futex, &fut, FUTEX_WAIT, 0, 0));
    fut = 0;
    ts = (struct timespec){0, 200000000};
    T("futex timeout", 0, syscall(SYS_futex, &fut, FUTEX_WAIT, 0, &ts));
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += 1;
    T("futex bitset abs", wfut, syscall(SYS_futex, &fut, FUTEX_WAIT_BITSET, 0, &ts, 0, -1));
    fut = 0;
    T("futex bitset inf", wfut, syscall(SYS_futex, &fut, FUTEX_WAIT_BITSET, 0, 0, 0, -1));
    fut = 0;
    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_sec += 1;
    T("futex bitset rt", wfut, syscall(SYS_futex, &fut, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &ts, 0, -1));
    efd = eventfd(0, 0);
    uint64_t q;
    T("eventfd", wefd, read(efd, &q, 8));
    tfd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec is = {{0, 0}, {0, 200000000}};
    timerfd_settime(tfd, 0, &is, 0);
    T("timerfd", 0, read(tfd, &q, 8));
    sigset_t u2;
    sigemptyset(&u2);
    sigaddset(&u2, SIGUSR2);
    int sfd = signalfd(-1, &u2, 0);
    struct signalfd_siginfo si;
    T("signalfd", usr2, read(sfd, &si, sizeof si));
    int ino = inotify_init();
    inotify_add_watch(ino, ".", IN_CREATE);
    T("inotify", 0, ({
        alarm(0);
        struct pollfd p = {ino, POLLIN};
        poll(&p, 1, 500) < 0 ? -1 : 0;
    }));
    ts = (struct timespec){0, 200000000};
    T("sigtimedwait", 0, sigtimedwait(&u2, 0, &ts));
    T("sigwaitinfo", usr2, sigwaitinfo(&u2, 0));
    sigtimedwait(&u2, 0, &(struct timespec){0, 0});
    T("pause", 0, pause());
    sigset_t e;
    sigemptyset(&e);
    T("sigsuspend", 0, sigsuspend(&e));
    lfd = open("interrupted.lock", O_RDWR | O_CREAT, 0600);
    flock(lfd, LOCK_EX);
    int l2 = open("interrupted.lock", O_RDWR);
    T("flock", unl, flock(l2, LOCK_EX));
    flock(l2, LOCK_UN);
    struct flock lk = {F_WRLCK};
    fcntl(lfd, F_OFD_SETLK, &lk);
    lk.l_pid = 0;
    T("ofd setlkw", unl, fcntl(l2, F_OFD_SETLKW, &lk));
    kid = fork();
    if (!kid)
    {
        for (;;)
            pause();
    }
    int st;
    T("waitpid", endkid, waitpid(kid, &st, 0) > 0 ? 0 : -1);
    ({
        kill(kid, SIGKILL);
        waitpid(kid, 0, 0);
    });
    kid = fork();
    if (!kid)
    {
        for (;;)
            pause();
    }
    siginfo_t in;
    T("waitid", endkid, waitid(P_PID, kid, &in, WEXITED));
    ({
        kill(kid, SIGKILL);
        waitpid(kid, 0, 0);
    });
    unlink("interrupted.fifo");
    mkfifo("interrupted.fifo", 0600);
    T("open fifo", opn, ({
        int f = open("interrupted.fifo", O_RDONLY);
        f >= 0 ? 0 : -1;
    }));
    return 0;
}
