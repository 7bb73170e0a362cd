/* Scheduling policies, nice values and processors, with the errors in the kernel's order. */
#include "memory.h"
#include <sched.h>

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t least, most;
};

#define BAD ((void *)1)
#define NOBODY 0x3fffffff

static void state(const char *name)
{
    struct attributes a = { 0 };
    int priority = -1;
    long got = syscall(SYS_sched_getattr, 0, &a, sizeof a, 0);
    syscall(SYS_sched_getparam, 0, &priority);
    printf("%s: %ld policy %ld priority %d attr %u %u flags %d nice %d %d\n", name, got, syscall(SYS_sched_getscheduler, 0), priority, a.policy,
        a.priority, (int)a.flags & 1, a.nice, 20 - (int)syscall(SYS_getpriority, PRIO_PROCESS, 0));
}

static void child(const char *name)
{
    if (fork() == 0) {
        state(name);
        _exit(0);
    }
    wait(NULL);
}

static void set(const char *name, int policy, int priority)
{
    ERROR(name, syscall(SYS_sched_setscheduler, 0, policy, &priority));
}

int main(int argc, char **argv)
{
    struct attributes a = { .size = sizeof a };
    struct { struct attributes a; char rest[64]; } large = { { .size = sizeof large } };
    struct rlimit limit = { 0, 0 };
    unsigned char mask[1024];
    int parameter = 0, status, none = 0, policy;
    init(argc, argv);
    state("first");
    for (policy = -1; policy < 7; policy++)
        if (policy != 4)
            printf("range %d: %ld %ld\n", policy, syscall(SYS_sched_get_priority_min, policy), syscall(SYS_sched_get_priority_max, policy));
    ERROR("getscheduler negative", syscall(SYS_sched_getscheduler, -1));
    ERROR("getscheduler nobody", syscall(SYS_sched_getscheduler, NOBODY));
    ERROR("getparam null", syscall(SYS_sched_getparam, NOBODY, NULL));
    ERROR("getparam negative", syscall(SYS_sched_getparam, -1, BAD));
    ERROR("getparam nobody", syscall(SYS_sched_getparam, NOBODY, BAD));
    ERROR("getparam bad", syscall(SYS_sched_getparam, 0, BAD));
    ERROR("setparam null", syscall(SYS_sched_setparam, 0, NULL));
    ERROR("setparam negative", syscall(SYS_sched_setparam, -1, BAD));
    ERROR("setparam bad", syscall(SYS_sched_setparam, NOBODY, BAD));
    ERROR("setparam nobody", syscall(SYS_sched_setparam, NOBODY, &parameter));
    ERROR("setparam", syscall(SYS_sched_setparam, 0, &parameter));
    parameter = 5;
    ERROR("setparam 5", syscall(SYS_sched_setparam, 0, &parameter));
    ERROR("setscheduler negative policy", syscall(SYS_sched_setscheduler, NOBODY, -1, BAD));
    ERROR("setscheduler negative", syscall(SYS_sched_setscheduler, -1, 0, &parameter));
    ERROR("setscheduler bad", syscall(SYS_sched_setscheduler, NOBODY, 99, BAD));
    ERROR("setscheduler nobody", syscall(SYS_sched_setscheduler, NOBODY, 99, &parameter));
    set("unknown policy", 99, 0);
    set("other 5", SCHED_OTHER, 5);
    set("fifo 0", SCHED_FIFO, 0);
    set("fifo 100", SCHED_FIFO, 100);
    set("rr -1", SCHED_RR, -1);
    set("batch", SCHED_BATCH, 0);
    state("batch");
    child("child of batch");
    set("idle", SCHED_IDLE, 0);
    state("idle");
    set("other", SCHED_OTHER, 0);
    set("fifo", SCHED_FIFO, 7);
    state("fifo");
    child("child of fifo");
    set("rr", SCHED_RR | SCHED_RESET_ON_FORK, 8);
    state("rr");
    child("child of rr");
    parameter = 9;
    ERROR("setparam 9", syscall(SYS_sched_setparam, 0, &parameter));
    state("rr 9");
    set("other again", SCHED_OTHER, 0);
    state("other");

    ERROR("getattr null", syscall(SYS_sched_getattr, 0, NULL, sizeof a, 0));
    ERROR("getattr small", syscall(SYS_sched_getattr, NOBODY, &a, 47, 0));
    ERROR("getattr large", syscall(SYS_sched_getattr, NOBODY, &a, 4097, 0));
    ERROR("getattr flags", syscall(SYS_sched_getattr, NOBODY, &a, sizeof a, 1));
    ERROR("getattr negative", syscall(SYS_sched_getattr, -1, &a, sizeof a, 0));
    ERROR("getattr nobody", syscall(SYS_sched_getattr, NOBODY, BAD, sizeof a, 0));
    ERROR("getattr bad", syscall(SYS_sched_getattr, 0, BAD, sizeof a, 0));
    ERROR("getattr 48", syscall(SYS_sched_getattr, 0, &a, 48, 0));
    printf("size %u\n", a.size);
    ERROR("getattr 120", syscall(SYS_sched_getattr, 0, &large, sizeof large, 0));
    printf("size %u\n", large.a.size);

    memset(&large, 0, sizeof large);
    large.a.size = sizeof large;
    ERROR("setattr larger", syscall(SYS_sched_setattr, 0, &large, 0));
    large.rest[8] = 1;
    ERROR("setattr not zero", syscall(SYS_sched_setattr, 0, &large, 0));
    printf("size %u\n", large.a.size);
    memset(&a, 0, sizeof a);
    a.size = 20;
    ERROR("setattr small", syscall(SYS_sched_setattr, 0, &a, 0));
    printf("size %u\n", a.size);
    a.size = 5000;
    ERROR("setattr too large", syscall(SYS_sched_setattr, NOBODY, &a, 0));
    ERROR("setattr null", syscall(SYS_sched_setattr, 0, NULL, 0));
    ERROR("setattr bad", syscall(SYS_sched_setattr, 0, BAD, 0));
    ERROR("setattr flags", syscall(SYS_sched_setattr, 0, BAD, 1));
    ERROR("setattr negative", syscall(SYS_sched_setattr, -1, BAD, 0));
    a = (struct attributes) { .size = sizeof a, .policy = -1 };
    ERROR("setattr negative policy", syscall(SYS_sched_setattr, NOBODY, &a, 0));
    a.policy = 99;
    ERROR("setattr nobody", syscall(SYS_sched_setattr, NOBODY, &a, 0));
    ERROR("setattr policy", syscall(SYS_sched_setattr, 0, &a, 0));
    a = (struct attributes) { .size = sizeof a, .flags = 1 << 20 };
    ERROR("setattr unknown flag", syscall(SYS_sched_setattr, 0, &a, 0));
    a = (struct attributes) { .size = 0, .nice = 40 };
    ERROR("setattr nice", syscall(SYS_sched_setattr, 0, &a, 0));
    state("nice 19");
    a = (struct attributes) { .size = 48, .policy = SCHED_FIFO, .priority = 3, .flags = 1 };
    ERROR("setattr fifo", syscall(SYS_sched_setattr, 0, &a, 0));
    state("fifo 3");
    a = (struct attributes) { .size = 48, .flags = 8 | 16 };
    ERROR("setattr keeping", syscall(SYS_sched_setattr, 0, &a, 0));
    state("kept");
    a = (struct attributes) { .size = 48, .policy = SCHED_BATCH, .nice = -3 };
    ERROR("setattr batch", syscall(SYS_sched_setattr, 0, &a, 0));
    state("batch -3");
    child("child of batch -3");
    set("other", SCHED_OTHER, 0);

    ERROR("interval negative", syscall(SYS_sched_rr_get_interval, -1, NULL));
    ERROR("interval nobody", syscall(SYS_sched_rr_get_interval, NOBODY, NULL));
    ERROR("interval bad", syscall(SYS_sched_rr_get_interval, 0, BAD));
    ERROR("getaffinity odd", syscall(SYS_sched_getaffinity, NOBODY, 1023, mask));
    ERROR("getaffinity none", syscall(SYS_sched_getaffinity, NOBODY, 0, mask));
    ERROR("getaffinity nobody", syscall(SYS_sched_getaffinity, NOBODY, 1024, BAD));
    ERROR("getaffinity bad", syscall(SYS_sched_getaffinity, 0, 1024, BAD));
    VALUE("getaffinity", syscall(SYS_sched_getaffinity, 0, 1024, mask));
    ERROR("setaffinity bad", syscall(SYS_sched_setaffinity, NOBODY, 8, BAD));
    ERROR("setaffinity nobody", syscall(SYS_sched_setaffinity, NOBODY, 8, mask));
    ERROR("setaffinity none", syscall(SYS_sched_setaffinity, 0, 0, BAD));
    ERROR("setaffinity", syscall(SYS_sched_setaffinity, 0, 1024, mask));

    ERROR("getpriority kind", syscall(SYS_getpriority, 3, 0));
    ERROR("getpriority nobody", syscall(SYS_getpriority, PRIO_PROCESS, NOBODY));
    ERROR("getpriority group", syscall(SYS_getpriority, PRIO_PGRP, NOBODY));
    ERROR("getpriority user", syscall(SYS_getpriority, PRIO_USER, 54321));
    ERROR("setpriority kind", syscall(SYS_setpriority, -1, 0, 0));
    ERROR("setpriority nobody", syscall(SYS_setpriority, PRIO_PROCESS, NOBODY, 0));
    ERROR("setpriority", syscall(SYS_setpriority, PRIO_PROCESS, 0, 5));
    state("nice 5");
    child("child of nice 5");

    /* A user without rights, and without limits that allow more. */
    setrlimit(RLIMIT_NICE, &limit);
    setrlimit(RLIMIT_RTPRIO, &limit);
    if (fork() == 0) {
        setresuid(1000, 1000, 1000);
        ERROR("user nice 6", syscall(SYS_setpriority, PRIO_PROCESS, 0, 6));
        ERROR("user nice 0", syscall(SYS_setpriority, PRIO_PROCESS, 0, 0));
        ERROR("user nice -1", syscall(SYS_setpriority, PRIO_PROCESS, 0, -1));
        ERROR("user another", syscall(SYS_setpriority, PRIO_PROCESS, getppid(), 10));
        a = (struct attributes) { .size = 48, .nice = -1 };
        ERROR("user setattr -1", syscall(SYS_sched_setattr, 0, &a, 0));
        ERROR("user setattr another", syscall(SYS_sched_setattr, getppid(), &a, 0));
        set("user fifo 3", SCHED_FIFO, 3);
        state("user");
        set("user reset", SCHED_OTHER | SCHED_RESET_ON_FORK, 0);
        set("user no reset", SCHED_OTHER, 0);
        ERROR("user affinity", syscall(SYS_sched_setaffinity, getppid(), 1024, mask));
        ERROR("user another's policy", syscall(SYS_sched_setscheduler, getppid(), SCHED_BATCH, &none));
        ERROR("user unknown policy", syscall(SYS_sched_setscheduler, getppid(), 99, &none));
        _exit(0);
    }
    wait(&status);
    if (fork() == 0) {
        setresuid(1000, 1000, 1000);
        ERROR("user nice 4", syscall(SYS_setpriority, PRIO_PROCESS, 0, 4));
        set("user fifo 1", SCHED_FIFO, 1);
        set("user idle", SCHED_IDLE, 0);
        set("user out of idle", SCHED_OTHER, 0);
        state("user");
        _exit(0);
    }
    wait(&status);

#ifdef __i386__
    uint16_t narrow[3] = { 7, 7, 7 }, groups[3] = { 9, 3, 5 };
    ERROR("setgroups16 bad", syscall(SYS_setgroups, 3, BAD));
    ERROR("setgroups16 many", syscall(SYS_setgroups, 65537, groups));
    ERROR("setgroups16", syscall(SYS_setgroups, 3, groups));
    VALUE("getgroups16", syscall(SYS_getgroups, 3, narrow));
    printf("%d %d %d\n", narrow[0], narrow[1], narrow[2]);
    ERROR("getgroups16 few", syscall(SYS_getgroups, 2, narrow));
    ERROR("getgroups16 negative", syscall(SYS_getgroups, -1, narrow));
    ERROR("setresgid16", syscall(SYS_setresgid, 65535, 1234, 65534));
    ERROR("getresgid16", syscall(SYS_getresgid, &narrow[0], &narrow[1], &narrow[2]));
    printf("%d %d %d\n", narrow[0], narrow[1], narrow[2]);
    ERROR("setuid16 -1", syscall(SYS_setuid, 65535));
    ERROR("setresuid32", syscall(SYS_setresuid32, 100000, -1, 4711));
    ERROR("getresuid16", syscall(SYS_getresuid, &narrow[0], &narrow[1], &narrow[2]));
    printf("%d %d %d\n", narrow[0], narrow[1], narrow[2]);
    ERROR("getresuid16 bad", syscall(SYS_getresuid, &narrow[0], BAD, &narrow[2]));
#endif
    return 0;
}
