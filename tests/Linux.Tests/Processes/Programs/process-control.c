/* prctl: death signals, subreapers, dumpable, no new privileges, timer slack; what threads, children and programs get of them. */
#include "memory.h"
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#define CONTROL(a, b, c, d, e) syscall(SYS_prctl, a, b, c, d, e)
#define BAD 1L

static int ends[2], other[2];

/* Who is told by a pipe's end that all of them have ended. */
static void wait_for_others(void)
{
    char byte;
    close(ends[1]);
    while (read(ends[0], &byte, 1) > 0)
        ;
    close(ends[0]);
}

static void on_death(int number, siginfo_t *info, void *context)
{
    char text[100];
    int length = sprintf(text, "death signal %d code %d, parent %s\n", number, info->si_code, getppid() == 1 ? "init" : "another");
    write(1, text, length);
    _exit(0);
}

static void await_death(int number)
{
    struct sigaction action = { .sa_sigaction = on_death, .sa_flags = SA_SIGINFO };
    sigaction(SIGUSR1, &action, NULL);
    ERROR("set death signal", CONTROL(PR_SET_PDEATHSIG, number, 0, 0, 0));
    write(other[1], "x", 1);
    usleep(3000000);
    printf("nothing came\n");
    _exit(1);
}

static void *forks(void *argument)
{
    char byte;
    if (fork() == 0)
        await_death(SIGUSR1);
    read(other[0], &byte, 1);
    return NULL;
}

static void *looks(void *argument)
{
    VALUE("thread's no new privileges", CONTROL(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    VALUE("thread's slack", CONTROL(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    ERROR("thread's slack set", CONTROL(PR_SET_TIMERSLACK, 0, 0, 0, 0));
    VALUE("thread's slack again", CONTROL(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    return NULL;
}

static void *sets(void *argument)
{
    int number = -1;
    ERROR("thread sets no new privileges", CONTROL(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    ERROR("thread sets death signal", CONTROL(PR_SET_PDEATHSIG, 0, 0, 0, 0));
    if (fork() == 0) {
        VALUE("its child's no new privileges", CONTROL(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
        CONTROL(PR_GET_PDEATHSIG, &number, 0, 0, 0);
        printf("its child's death signal %d\n", number);
        _exit(0);
    }
    wait(NULL);
    return NULL;
}

static void state(const char *name)
{
    int signal = -1, reaper = -1;
    CONTROL(PR_GET_PDEATHSIG, &signal, 0, 0, 0);
    CONTROL(PR_GET_CHILD_SUBREAPER, &reaper, 0, 0, 0);
    printf("%s: death %d reaper %d dumpable %d privileges %d slack %d keeps %d\n", name, signal, reaper, (int)CONTROL(PR_GET_DUMPABLE, 0, 0, 0, 0),
        (int)CONTROL(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), (int)CONTROL(PR_GET_TIMERSLACK, 0, 0, 0, 0), (int)CONTROL(PR_GET_KEEPCAPS, 0, 0, 0, 0));
}

int main(int argc, char **argv)
{
    pthread_t thread;
    int status, number, parent = getpid();
    char byte, text[32] = "here";
    pid_t child;
    init(argc, argv);
    dup2(fileno(stdout), 1);
    if (argc > 2) {
        state("program");
        return 0;
    }
    state("first");
    ERROR("death 65", CONTROL(PR_SET_PDEATHSIG, 65, 0, 0, 0));
    ERROR("death -1", CONTROL(PR_SET_PDEATHSIG, -1, 0, 0, 0));
    ERROR("death to bad", CONTROL(PR_GET_PDEATHSIG, BAD, 0, 0, 0));
    ERROR("death 64", CONTROL(PR_SET_PDEATHSIG, 64, 0, 0, 0));
    ERROR("reaper to bad", CONTROL(PR_GET_CHILD_SUBREAPER, BAD, 0, 0, 0));
    ERROR("dumpable 2", CONTROL(PR_SET_DUMPABLE, 2, 0, 0, 0));
    ERROR("dumpable 3", CONTROL(PR_SET_DUMPABLE, 3, 0, 0, 0));
    ERROR("privileges 0", CONTROL(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    ERROR("privileges 1 1", CONTROL(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
    ERROR("privileges 1 0 0 1", CONTROL(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 1));
    ERROR("privileges get 1", CONTROL(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
    ERROR("keep 2", CONTROL(PR_SET_KEEPCAPS, 2, 0, 0, 0));
    VALUE("timing", CONTROL(PR_GET_TIMING, 0, 0, 0, 0));
    ERROR("timing 0", CONTROL(PR_SET_TIMING, 0, 0, 0, 0));
    ERROR("timing 1", CONTROL(PR_SET_TIMING, 1, 0, 0, 0));
    VALUE("secure bits", CONTROL(PR_GET_SECUREBITS, 0, 0, 0, 0));
    ERROR("alignment", CONTROL(PR_GET_UNALIGN, text, 0, 0, 0));
    ERROR("unknown", CONTROL(12345, 0, 0, 0, 0));
    ERROR("name from bad", CONTROL(PR_SET_NAME, BAD, 0, 0, 0));
    ERROR("slack", CONTROL(PR_SET_TIMERSLACK, 70000, 0, 0, 0));
    VALUE("slack now", CONTROL(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    pthread_create(&thread, NULL, looks, NULL);
    pthread_join(thread, NULL);
    ERROR("slack 0", CONTROL(PR_SET_TIMERSLACK, 0, 0, 0, 0));
    VALUE("slack as at first", CONTROL(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    VALUE("slack -1", CONTROL(PR_SET_TIMERSLACK, -1, 0, 0, 0));
#ifdef __x86_64__
    VALUE("slack as at first", CONTROL(PR_GET_TIMERSLACK, 0, 0, 0, 0));
#else
    ERROR("slack 0", CONTROL(PR_SET_TIMERSLACK, 0, 0, 0, 0));
#endif

    /* A thread's own, and its children's. */
    pthread_create(&thread, NULL, sets, NULL);
    pthread_join(thread, NULL);
    state("after thread");

    /* Children and programs. */
    CONTROL(PR_SET_DUMPABLE, 0, 0, 0, 0);
    CONTROL(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    CONTROL(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    CONTROL(PR_SET_TIMERSLACK, 60000, 0, 0, 0);
    CONTROL(PR_SET_PDEATHSIG, SIGUSR2, 0, 0, 0);
    state("set");
    if (fork() == 0) {
        state("child");
        CONTROL(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        CONTROL(PR_SET_PDEATHSIG, SIGUSR2, 0, 0, 0);
        CONTROL(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        execl("/proc/self/exe", "program", argc > 1 ? argv[1] : "/dev/stdout", "program", NULL);
        _exit(1);
    }
    wait(&status);
    CONTROL(PR_SET_DUMPABLE, 1, 0, 0, 0);

    /* Whoever changes his user is not dumpable, and has no death signal. */
    if (fork() == 0) {
        CONTROL(PR_SET_PDEATHSIG, SIGUSR2, 0, 0, 0);
        setresuid(1000, 1000, 1000);
        state("user");
        CONTROL(PR_SET_DUMPABLE, 1, 0, 0, 0);
        if (fork() == 0) {
            char *where = text;
            struct iovec here = { text, 4 };
            CONTROL(PR_SET_DUMPABLE, 0, 0, 0, 0);
            ERROR("of the dumpable parent", syscall(SYS_process_vm_readv, getppid(), &here, 1, &here, 1, 0));
            if ((child = fork()) == 0) {
                ERROR("of the not dumpable parent", syscall(SYS_process_vm_readv, getppid(), &here, 1, &here, 1, 0));
                _exit(0);
            }
            waitpid(child, NULL, 0);
            _exit(0);
        }
        wait(NULL);
        _exit(0);
    }
    wait(&status);

    /* The parent ends; this process takes its child. */
    pipe(ends);
    pipe(other);
    child = fork();
    if (child == 0) {
        if (fork() == 0)
            await_death(SIGUSR1);
        read(other[0], &byte, 1);
        _exit(0);
    }
    waitpid(child, &status, 0);
    wait_for_others();
    VALUE("taken over", waitpid(-1, &status, 0) > 0);
    VALUE("nobody left", waitpid(-1, &status, 0));

    /* A zombie is told of to the one that takes it. */
    pipe(ends);
    child = fork();
    if (child == 0) {
        if (fork() == 0)
            _exit(9);
        siginfo_t info;
        waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
        _exit(0);
    }
    wait_for_others();
    number = 0;
    while (waitpid(-1, &status, 0) > 0)
        number += WEXITSTATUS(status);
    printf("zombies: %d\n", number);

    /* The thread that made it ends, the process stays. */
    pipe(ends);
    pthread_create(&thread, NULL, forks, NULL);
    pthread_join(thread, NULL);
    wait_for_others();
    VALUE("own child", waitpid(-1, &status, 0) > 0);

    /* Without a subreaper orphans are init's. */
    CONTROL(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    pipe(ends);
    child = fork();
    if (child == 0) {
        if (fork() == 0)
            await_death(SIGUSR1);
        read(other[0], &byte, 1);
        _exit(0);
    }
    waitpid(child, &status, 0);
    wait_for_others();
    VALUE("nobody left", waitpid(-1, &status, 0));
    return 0;
}
