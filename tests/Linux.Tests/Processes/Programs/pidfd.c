/* Descriptors of processes; kcmp; memory and advice of another process; waiting for several futexes. */
#include "memory.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <time.h>

#define NOBODY 0x3fffffff
#define BAD ((void *)1)
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

struct clone_arguments {
    uint64_t flags, pidfd, child, parent, signal, stack, size, tls, ids, count, group;
    uint64_t more[4];
};

struct waiter {
    uint64_t value, address;
    uint32_t flags, reserved;
};

static int open_pid(int pid, int flags)
{
    return syscall(SYS_pidfd_open, pid, flags);
}

static void ready(const char *name, int fd, int timeout)
{
    struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDNORM, 0 };
    int got = poll(&p, 1, timeout);
    printf("%s: %d %x\n", name, got, p.revents & (POLLIN | POLLOUT | POLLRDNORM));
}

static void fdinfo(const char *name, int fd, int pid)
{
    char line[256];
    int number;
    FILE *file;
    sprintf(line, "/proc/self/fdinfo/%d", fd);
    file = fopen(line, "r");
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Pid: %d", &number) == 1)
            printf("%s: %s\n", name, number == pid ? "it" : number == -1 ? "gone" : "another");
    fclose(file);
}

static int told;

static void handler(int number, siginfo_t *info, void *context)
{
    static char text[100];
    int length = sprintf(text, "signal %d code %d from %s value %d\n", number, info->si_code, info->si_pid == getppid() ? "parent" : "another",
        info->si_code == SI_QUEUE ? info->si_value.sival_int : 0);
    write(1, text, length);
    write(told, "x", 1);
}

static void descriptors(void)
{
    int status, ends[2], file, epoll, other[2];
    char byte;
    siginfo_t info = { 0 };
    struct epoll_event event = { EPOLLIN };
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
    pid_t child;
    int fd;

    ERROR("open 0", open_pid(0, 0));
    ERROR("open negative", open_pid(-1, 0));
    ERROR("open flags", open_pid(getpid(), 1));
    ERROR("open nobody flags", open_pid(NOBODY, 4));
    ERROR("open nobody", open_pid(NOBODY, 0));
    pipe(ends);
    pipe(other);
    told = other[1];
    child = fork();
    if (child == 0) {
        sigaction(SIGUSR1, &action, NULL);
        write(other[1], "x", 1);
        while (read(ends[0], &byte, 1) != 1)
            ;
        _exit(7);
    }
    read(other[0], &status, 1);
    fd = open_pid(child, 0);
    printf("close on exec: %d, flags %x\n", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
    fdinfo("info", fd, child);
    ready("running", fd, 0);
    VALUE("read", read(fd, &status, 4));
    VALUE("write", write(fd, &status, 4));
    VALUE("epoll_ctl", epoll_ctl(fd, EPOLL_CTL_ADD, ends[0], &event));
    epoll = epoll_create1(0);
    ERROR("epoll", epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    VALUE("epoll running", epoll_wait(epoll, &event, 1, 0));
    ERROR("send flags", syscall(SYS_pidfd_send_signal, -1, 0, BAD, 64));
    ERROR("send no descriptor", syscall(SYS_pidfd_send_signal, -1, 0, BAD, 0));
    ERROR("send pipe", syscall(SYS_pidfd_send_signal, ends[0], 0, NULL, 0));
    ERROR("send bad", syscall(SYS_pidfd_send_signal, fd, 0, BAD, 0));
    ERROR("send 65", syscall(SYS_pidfd_send_signal, fd, 65, NULL, 0));
    ERROR("send 0", syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
    info.si_signo = SIGUSR2;
    ERROR("send mismatch", syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &info, 0));
    info.si_signo = SIGUSR1;
    ERROR("send as the kernel", syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &info, 0));
    file = open("/proc/self", O_RDONLY | O_DIRECTORY);
    ERROR("send by directory", syscall(SYS_pidfd_send_signal, file, 0, NULL, 0));
    close(file);
    ERROR("getfd flags", syscall(SYS_pidfd_getfd, -1, ends[1], 1));
    ERROR("getfd no descriptor", syscall(SYS_pidfd_getfd, -1, ends[1], 0));
    ERROR("getfd none", syscall(SYS_pidfd_getfd, fd, 999, 0));
    file = syscall(SYS_pidfd_getfd, fd, ends[1], 0);
    printf("getfd: flags %d\n", fcntl(file, F_GETFD));
    VALUE("same file", syscall(SYS_kcmp, getpid(), child, 0, file, ends[1]));
    VALUE("own file", syscall(SYS_kcmp, getpid(), getpid(), 0, file, ends[1]));
    printf("another file: %d\n", syscall(SYS_kcmp, getpid(), child, 0, file, ends[0]) + syscall(SYS_kcmp, child, getpid(), 0, ends[0], file));
    ERROR("kcmp nobody", syscall(SYS_kcmp, getpid(), NOBODY, 99, 0, 0));
    ERROR("kcmp kind", syscall(SYS_kcmp, getpid(), child, 99, 0, 0));
    ERROR("kcmp no file", syscall(SYS_kcmp, getpid(), child, 0, 999, 0));
    ERROR("kcmp no second file", syscall(SYS_kcmp, getpid(), child, 0, 0, 999));
    for (status = 1; status < 5; status++)
        printf("kcmp %d: %d %d\n", status, (int)syscall(SYS_kcmp, getpid(), getpid(), status, 0, 0), syscall(SYS_kcmp, getpid(), child, status, 0, 0) != 0);
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_value.sival_int = 42;
    status = syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &info, 0);
    read(other[0], &byte, 1);
    printf("send value: %d\n", status);
    status = syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0);
    read(other[0], &byte, 1);
    printf("send: %d\n", status);
    VALUE("wait nothing", syscall(SYS_waitid, 3, fd, &info, WEXITED | WNOHANG, NULL));
    ERROR("wait descriptor", syscall(SYS_waitid, 3, 999, &info, WEXITED, NULL));
    ERROR("wait negative", syscall(SYS_waitid, 3, -1, &info, WEXITED, NULL));
    ERROR("wait pipe", syscall(SYS_waitid, 3, ends[0], &info, WEXITED, NULL));
    status = open_pid(getpid(), 0);
    ERROR("wait for oneself", syscall(SYS_waitid, 3, status, &info, WEXITED, NULL));
    close(status);
    status = open_pid(child, O_NONBLOCK);
    printf("nonblocking flags %x\n", fcntl(status, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
    ERROR("wait nonblocking", syscall(SYS_waitid, 3, status, &info, WEXITED, NULL));
    close(status);
    write(file, "x", 1);
    close(file);
    ready("ended", fd, 5000);
    VALUE("epoll ended", epoll_wait(epoll, &event, 1, 1000));
    ERROR("getfd ended", syscall(SYS_pidfd_getfd, fd, ends[1], 0));
    ERROR("send ended", syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
    fdinfo("info ended", fd, child);
    memset(&info, 0, sizeof info);
    ERROR("wait", syscall(SYS_waitid, 3, fd, &info, WEXITED, NULL));
    printf("%s code %d status %d\n", info.si_pid == child ? "it" : "another", info.si_code, info.si_status);
    ready("gone", fd, 0);
    fdinfo("info gone", fd, child);
    ERROR("getfd gone", syscall(SYS_pidfd_getfd, fd, ends[1], 0));
    ERROR("send gone", syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
    ERROR("wait gone", syscall(SYS_waitid, 3, fd, &info, WEXITED, NULL));
    ERROR("open gone", open_pid(child, 0));
    close(fd);
    close(epoll);
    close(ends[0]);
    close(ends[1]);
    close(other[0]);
    close(other[1]);
}

static int ends_at_once(void *argument)
{
    return 3;
}

static void clones(void)
{
    static char stack[65536] __attribute__((aligned(16)));
    struct clone_arguments a = { 0 };
    struct rlimit limit, few;
    int fd = -1, tid = 0, child, status;

    ERROR("clone two", syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &fd, 0, 0));
    ERROR("clone detached", syscall(SYS_clone, CLONE_PIDFD | 0x400000 | SIGCHLD, 0, &fd, 0, 0));
    ERROR("clone bad", syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, BAD, 0, 0));
    VALUE("no child", wait(NULL));
    child = clone(ends_at_once, stack + sizeof stack, CLONE_PIDFD | SIGCHLD, NULL, &fd);
    printf("clone: %d %d\n", child > 0, fcntl(fd, F_GETFD));
    ready("clone", fd, 5000);
    VALUE("wait", waitpid(child, &status, 0) == child ? status : -1);
    close(fd);
    fd = -1;
    a.flags = CLONE_PIDFD | CLONE_PARENT_SETTID;
    a.pidfd = (uintptr_t)&fd;
    a.parent = (uintptr_t)&tid;
    a.signal = SIGCHLD;
    child = syscall(SYS_clone3, &a, 88);
    if (child == 0)
        _exit(5);
    printf("clone3: %d %d\n", tid == child, fcntl(fd, F_GETFD));
    ready("clone3", fd, 5000);
    VALUE("wait", waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : -1);
    close(fd);
    a.parent = a.pidfd;
    ERROR("clone3 same place", syscall(SYS_clone3, &a, 88));
    a.parent = (uintptr_t)&tid;
    a.pidfd = 1;
    ERROR("clone3 bad", syscall(SYS_clone3, &a, 88));
    ERROR("clone3 small", syscall(SYS_clone3, &a, 63));
    ERROR("clone3 large", syscall(SYS_clone3, &a, 4097));
    ERROR("clone3 bad arguments", syscall(SYS_clone3, BAD, 64));
    a.more[1] = 1;
    ERROR("clone3 unknown", syscall(SYS_clone3, &a, sizeof a));
    a.more[1] = 0;
    a.flags = 1;
    ERROR("clone3 signal in flags", syscall(SYS_clone3, &a, 88));
    a.flags = 1ull << 40;
    ERROR("clone3 flag", syscall(SYS_clone3, &a, 88));
    a.flags = 0;
    a.signal = 65;
    ERROR("clone3 signal", syscall(SYS_clone3, &a, 88));
    a.signal = SIGCHLD;
    a.stack = 4096;
    ERROR("clone3 stack", syscall(SYS_clone3, &a, 88));
    a.stack = 0;
    a.flags = CLONE_PARENT;
    ERROR("clone3 parent", syscall(SYS_clone3, &a, 88));
    a.flags = CLONE_SIGHAND | 0x100000000ull | CLONE_VM;
    ERROR("clone3 handlers", syscall(SYS_clone3, &a, 88));
    a.flags = CLONE_THREAD;
    a.signal = 0;
    ERROR("clone3 thread", syscall(SYS_clone3, &a, 88));
    a.flags = CLONE_SIGHAND;
    ERROR("clone3 sighand", syscall(SYS_clone3, &a, 88));
    a.flags = 0;
    a.count = 1;
    ERROR("clone3 count", syscall(SYS_clone3, &a, 88));
}

static void memory(void)
{
    static char there[8192] __attribute__((aligned(4096)));
    char here[8192];
    struct iovec local[2] = { { here, 5 }, { here + 100, 5 } }, remote[2] = { { there, 3 }, { there + 10, 20 } };
    struct iovec empty = { here, 0 }, bad = { BAD, 10 };
    int ends[2], fd;
    pid_t child;
    strcpy(there, "abcdefghijklmnopqrstuvwxyz");
    pipe(ends);
    child = fork();
    if (child == 0) {
        read(ends[0], here, 1);
        printf("written: %.10s\n", there);
        _exit(0);
    }
    memset(there, 'z', 100);
    VALUE("readv", syscall(SYS_process_vm_readv, child, local, 2, remote, 2, 0));
    printf("%.5s %.5s\n", here, here + 100);
    VALUE("writev", syscall(SYS_process_vm_writev, child, local, 1, remote, 2, 0));
    ERROR("flags", syscall(SYS_process_vm_readv, NOBODY, BAD, 1, BAD, 1, 1));
    ERROR("bad local", syscall(SYS_process_vm_readv, NOBODY, BAD, 1, BAD, 1, 0));
    ERROR("many local", syscall(SYS_process_vm_readv, NOBODY, local, 1025, BAD, 1, 0));
    VALUE("no local", syscall(SYS_process_vm_readv, NOBODY, local, 0, BAD, 1, 0));
    VALUE("empty local", syscall(SYS_process_vm_readv, NOBODY, &empty, 1, BAD, 1, 0));
    ERROR("bad remote", syscall(SYS_process_vm_readv, NOBODY, local, 1, BAD, 1, 0));
    ERROR("many remote", syscall(SYS_process_vm_readv, NOBODY, local, 1, remote, 1025, 0));
    VALUE("no remote", syscall(SYS_process_vm_readv, NOBODY, local, 1, remote, 0, 0));
    VALUE("empty remote", syscall(SYS_process_vm_readv, NOBODY, local, 1, &empty, 1, 0));
    ERROR("nobody", syscall(SYS_process_vm_readv, NOBODY, local, 1, remote, 1, 0));
    ERROR("bad address there", syscall(SYS_process_vm_readv, child, local, 1, &bad, 1, 0));
    fd = open_pid(child, 0);
    remote[0] = (struct iovec) { there, 4096 };
    ERROR("advise flags", syscall(SYS_process_madvise, -1, BAD, 1, 99, 1));
    ERROR("advise bad", syscall(SYS_process_madvise, -1, BAD, 1, 99, 0));
    ERROR("advise descriptor", syscall(SYS_process_madvise, -1, remote, 1, 99, 0));
    ERROR("advise kind", syscall(SYS_process_madvise, fd, remote, 1, 99, 0));
    VALUE("advise", syscall(SYS_process_madvise, fd, remote, 1, MADV_COLD, 0));
    remote[1] = (struct iovec) { there + 1, 10 };
    VALUE("advise half", syscall(SYS_process_madvise, fd, remote, 2, MADV_WILLNEED, 0));
    ERROR("advise odd", syscall(SYS_process_madvise, fd, remote + 1, 1, MADV_WILLNEED, 0));
    write(ends[1], "x", 1);
    wait(NULL);
    ERROR("advise gone", syscall(SYS_process_madvise, fd, remote, 1, MADV_COLD, 0));
    close(fd);
    close(ends[0]);
    close(ends[1]);
}

static void forked(void)
{
    char *wiped = anon(2 * PAGE), *left = anon(PAGE);
    int file = temporary_file(PAGE), status;
    wiped[0] = left[0] = 'x';
    ERROR("wipe", madvise(wiped, PAGE, MADV_WIPEONFORK));
    ERROR("wipe file", madvise(mmap(NULL, PAGE, 3, MAP_PRIVATE, file, 0), PAGE, MADV_WIPEONFORK));
    ERROR("wipe shared", madvise(mmap(NULL, PAGE, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0), PAGE, MADV_WIPEONFORK));
    ERROR("leave", madvise(left, PAGE, MADV_DONTFORK));
    if (fork() == 0) {
        printf("child: %d\n", wiped[0]);
        ACCESS("left", READ(left));
        _exit(0);
    }
    wait(&status);
    printf("parent: %d %d\n", wiped[0], left[0]);
    madvise(wiped, PAGE, MADV_KEEPONFORK);
    madvise(left, PAGE, MADV_DOFORK);
    if (fork() == 0) {
        printf("child: %d %d\n", wiped[0], left[0]);
        _exit(0);
    }
    wait(&status);
}

static volatile uint32_t words[3];

static void *waker(void *argument)
{
    usleep(50000);
    words[1] = 1;
    while (syscall(SYS_futex, &words[1], 1 | 128, 1, NULL, NULL, 0) == 0)
        usleep(1000);
    return NULL;
}

static void futexes(void)
{
    struct waiter w[129] = { { 0, (uintptr_t)&words[0], 2 | 128 }, { 0, (uintptr_t)&words[1], 2 | 128 }, { 0, (uintptr_t)&words[2], 2 } };
    struct { int64_t seconds, nanoseconds; } soon = { 0, 1000 }, wrong = { 0, 2000000000 };
    pthread_t thread;
    ERROR("flags", syscall(SYS_futex_waitv, BAD, 1, 1, BAD, 99));
    ERROR("none", syscall(SYS_futex_waitv, w, 0, 0, BAD, 99));
    ERROR("many", syscall(SYS_futex_waitv, w, 129, 0, BAD, 99));
    ERROR("null", syscall(SYS_futex_waitv, NULL, 1, 0, BAD, 99));
    ERROR("clock", syscall(SYS_futex_waitv, BAD, 1, 0, BAD, 99));
    ERROR("bad time", syscall(SYS_futex_waitv, BAD, 1, 0, BAD, CLOCK_MONOTONIC));
    ERROR("wrong time", syscall(SYS_futex_waitv, BAD, 1, 0, &wrong, CLOCK_MONOTONIC));
    ERROR("bad waiters", syscall(SYS_futex_waitv, BAD, 1, 0, &soon, CLOCK_MONOTONIC));
    ERROR("timeout", syscall(SYS_futex_waitv, w, 3, 0, &soon, CLOCK_MONOTONIC));
    ERROR("timeout", syscall(SYS_futex_waitv, w, 3, 0, &soon, CLOCK_REALTIME));
    w[1].value = 1;
    ERROR("value", syscall(SYS_futex_waitv, w, 3, 0, NULL, 0));
    w[1].value = 0;
    w[1].flags = 128;
    ERROR("size", syscall(SYS_futex_waitv, w, 3, 0, NULL, 0));
    w[1].flags = 2 | 64;
    ERROR("flag", syscall(SYS_futex_waitv, w, 3, 0, NULL, 0));
    w[1].flags = 2 | 128;
    w[1].reserved = 1;
    ERROR("reserved", syscall(SYS_futex_waitv, w, 3, 0, NULL, 0));
    w[1].reserved = 0;
    w[1].address++;
    ERROR("odd", syscall(SYS_futex_waitv, w, 3, 0, NULL, 0));
    w[1].address = 4096;
    ERROR("bad word", syscall(SYS_futex_waitv, w, 3, 0, NULL, 0));
    w[1].address = (uintptr_t)&words[1];
    pthread_create(&thread, NULL, waker, NULL);
    VALUE("woken", syscall(SYS_futex_waitv, w, 3, 0, NULL, 0));
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    init(argc, argv);
    dup2(fileno(stdout), 1);
    descriptors();
    clones();
    memory();
    forked();
    futexes();
    return 0;
}
