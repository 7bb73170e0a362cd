// Prints the results of calls, so that two runs can be compared. Calls are raw ones: the C library converts some structures.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Numbers of calls that take pointers as they are. On i386 the C library goes through structures of its own.
#ifdef __i386__
enum { SEMCTL = 394, MSGCTL = 402, SHMCTL = 396, SEMTIMEDOP = 420 };
#else
enum { SEMCTL = 66, MSGCTL = 71, SHMCTL = 31, SEMTIMEDOP = 220 };
#endif

static void say(const char *what, long result) {
    if (result == -1)
        printf("%s: errno %d\n", what, errno);
    else
        printf("%s: %ld\n", what, result);
    fflush(stdout);
}

#define TRY(call) (errno = 0, say(#call, (long)(call)))

__attribute__((constructor)) static void by_lines(void) { setvbuf(stdout, 0, _IOLBF, 4096); }

static void *unmapped(void) {
    void *p = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(p, 4096);
    return p;
}

static void nothing(int signal) { (void)signal; }

// Signals again and again, until 0: one may come before the call.
static void alarms(int milliseconds, int flags) {
    struct sigaction action = { .sa_handler = nothing, .sa_flags = flags };
    struct itimerval timer = { { 0, milliseconds * 1000 }, { 0, milliseconds * 1000 } };
    sigaction(SIGALRM, &action, 0);
    setitimer(ITIMER_REAL, &timer, 0);
}

static void perm(const char *what, const struct ipc_perm *p) {
    printf("%s: key %x uid %d cuid %d mode %o\n", what, (unsigned)p->__key, p->uid == getuid(), p->cuid == getuid(), p->mode);
}
