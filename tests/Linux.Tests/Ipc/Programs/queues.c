// POSIX message queues.
#include "ipc.h"
#include <mqueue.h>
#include <poll.h>

#ifdef __i386__
enum { MQ_OPEN = 277, MQ_UNLINK, MQ_SEND, MQ_RECEIVE, MQ_NOTIFY, MQ_ATTRIBUTES };
#else
enum { MQ_OPEN = 240, MQ_UNLINK, MQ_SEND, MQ_RECEIVE, MQ_NOTIFY, MQ_ATTRIBUTES };
#endif

static char text[200];

static void attributes(int q) {
    struct mq_attr a;
    memset(&a, 0xEE, sizeof a);
    TRY(syscall(MQ_ATTRIBUTES, q, 0, &a));
    printf("flags %lx most %ld bytes %ld now %ld\n", a.mq_flags, a.mq_maxmsg, a.mq_msgsize, a.mq_curmsgs);
}

int main(void) {
    char name[40];
    sprintf(name, "dynatrans-test-%d", getpid());
    struct mq_attr a = { .mq_maxmsg = 3, .mq_msgsize = 100 };
    umask(027);
    TRY(syscall(MQ_OPEN, name, O_RDWR, 0, 0));
    TRY(syscall(MQ_OPEN, name, O_RDWR | O_CREAT, 0666, unmapped()));
    TRY(syscall(MQ_OPEN, unmapped(), O_RDWR | O_CREAT, 0666, &a));
    TRY(syscall(MQ_OPEN, "", O_RDWR | O_CREAT, 0666, &a));
    TRY(syscall(MQ_OPEN, "a/b", O_RDWR | O_CREAT, 0666, &a));
    a.mq_maxmsg = -1;
    TRY(syscall(MQ_OPEN, name, O_RDWR | O_CREAT, 0666, &a));
    a.mq_maxmsg = 3;
    int q = syscall(MQ_OPEN, name, O_RDWR | O_CREAT | O_EXCL, 0666, &a);
    int again = syscall(MQ_OPEN, name, O_WRONLY | O_NONBLOCK, 0, 0);
    TRY(syscall(MQ_OPEN, name, O_RDWR | O_CREAT | O_EXCL, 0666, &a));
    TRY(fcntl(q, F_GETFD));
    struct stat st;
    fstat(q, &st);
    printf("mode %o\n", st.st_mode);
    attributes(q);
    attributes(again);

    TRY(syscall(MQ_SEND, q, "low", 4, 1, 0));
    TRY(syscall(MQ_SEND, q, "high", 5, 30, 0));
    TRY(syscall(MQ_SEND, q, "", 0, 2, 0));
    TRY(syscall(MQ_SEND, again, "full", 5, 2, 0));
    TRY(syscall(MQ_SEND, q, text, 101, 2, 0));
    TRY(syscall(MQ_SEND, q, text, -1L, 2, 0));
    TRY(syscall(MQ_SEND, q, text, 1, 40000, 0));
    TRY(syscall(MQ_SEND, 99, text, 1, 1, 0));
    TRY(syscall(MQ_SEND, 1, text, 1, 1, 0));
    TRY(syscall(MQ_SEND, q, unmapped(), 1, 1, 0));
    struct timespec past = { 1, 0 }, wrong = { 1, -1 };
#ifdef __i386__
    long past32[2] = { 1, 0 }, wrong32[2] = { 1, -1 };
    TRY(syscall(MQ_SEND, q, text, 1, 1, past32));
    TRY(syscall(MQ_SEND, q, text, 1, 1, wrong32));
    TRY(syscall(418, q, text, 1, 1, &(long long[2]){ 1, 0 }));
    TRY(syscall(419, again, text, 1, 1, &(long long[2]){ 1, 0 }));
#else
    TRY(syscall(MQ_SEND, q, text, 1, 1, &past));
    TRY(syscall(MQ_SEND, q, text, 1, 1, &wrong));
    TRY(syscall(MQ_SEND, 99, text, 1, 1, &wrong));
#endif
    TRY(syscall(MQ_SEND, q, text, 1, 1, unmapped()));
    attributes(q);
    struct pollfd p = { q, POLLIN | POLLOUT };
    TRY(poll(&p, 1, 0));
    printf("%x\n", p.revents);

    unsigned priority = 77;
    TRY(syscall(MQ_RECEIVE, q, text, 99, &priority, 0));
    TRY(syscall(MQ_RECEIVE, q, text, 100, &priority, 0));
    printf("%s %u\n", text, priority);
    TRY(syscall(MQ_RECEIVE, q, text, 200, 0, 0));
    TRY(syscall(MQ_RECEIVE, again, text, 200, 0, 0));
    TRY(syscall(MQ_RECEIVE, q, unmapped(), -1L, 0, 0));
    attributes(q);
    alarms(50, 0);
    TRY(syscall(MQ_RECEIVE, q, text, 200, 0, 0));
    alarms(0, 0);
    a.mq_flags = O_NONBLOCK;
    TRY(syscall(MQ_ATTRIBUTES, q, &a, 0));
    attributes(q);
    TRY(syscall(MQ_RECEIVE, q, text, 200, 0, 0));
    a.mq_flags = 1;
    TRY(syscall(MQ_ATTRIBUTES, q, &a, 0));
    TRY(syscall(MQ_ATTRIBUTES, q, unmapped(), 0));
    TRY(syscall(MQ_ATTRIBUTES, q, 0, unmapped()));
    TRY(syscall(MQ_ATTRIBUTES, 1, 0, &a));
    TRY(syscall(MQ_ATTRIBUTES, 99, 0, &a));
    a.mq_flags = 0;
    syscall(MQ_ATTRIBUTES, q, &a, 0);

    // Restarted, with SA_RESTART.
    int child = fork(), status;
    if (!child) {
        usleep(150000);
        _exit(syscall(MQ_SEND, again, "late", 5, 7, 0));
    }
    alarms(50, SA_RESTART);
    TRY(syscall(MQ_RECEIVE, q, text, 200, &priority, 0));
    alarms(0, 0);
    printf("%s %u\n", text, priority);
    waitpid(child, &status, 0);
    TRY(syscall(MQ_UNLINK, name));
    TRY(syscall(MQ_UNLINK, name));
    TRY(syscall(MQ_UNLINK, unmapped()));
    TRY(syscall(MQ_UNLINK, ""));
    attributes(q);
    return 0;
}
